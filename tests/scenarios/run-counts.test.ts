/** What a run has come to is told while it goes on: the same as its result has at the end. */
import { applyOverrides, executeRun, loadScenario, prepareRun, type RunCounts } from '@dmabuf-lab/lab';
import test from 'ava';
import { example } from './run-file.js';

test('executeRun, counts: moves and frames grow as they are made, and end as the result has them', async (t) => {
  const loaded = await loadScenario(example('late-encoder'));
  const scenario = applyOverrides(loaded.scenario, { runtime: 'virtual', payload: 'timing' });
  const seen: RunCounts[] = [];
  const { result } = await executeRun(await prepareRun({ ...loaded, scenario }, { counts: true }), {
    collectTrace: false,
    isBreakDue: () => true,
    onProgress: ({ counts }) => {
      if (counts !== undefined) seen.push(counts);
    },
  });
  t.true(result.moves > 0);
  t.true(seen.some(({ moves, frames }) => moves === 0 && frames > 0));
  const frames = Object.values(result.devices).reduce((sum, { framesIn, framesOut }) => sum + framesIn + framesOut, 0);
  t.deepEqual(seen.at(-1), { frames, moves: result.moves, deaths: 0, violations: 0, overdue: 0 });
});

test('executeRun, counts that nobody has asked for: there are none, and the run is the same', async (t) => {
  const loaded = await loadScenario(example('late-encoder'));
  const scenario = applyOverrides(loaded.scenario, { runtime: 'virtual', payload: 'timing', duration: 6e9 });
  const fingerprints = [];
  for (const counts of [true, false]) {
    const prepared = await prepareRun({ ...loaded, scenario }, { counts });
    let isCounted = false;
    const onProgress = (progress: { readonly counts?: RunCounts }): void => {
      isCounted ||= progress.counts !== undefined;
    };
    fingerprints.push((await executeRun(prepared, { collectTrace: false, onProgress })).result.fingerprint);
    t.is(isCounted, counts);
  }
  t.is(fingerprints[0], fingerprints[1]);
});
