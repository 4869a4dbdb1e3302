/** What a run has come to is told while it goes on: the same as its result has at the end. */
import { applyOverrides, executeRun, loadScenario, prepareRun, type RunCounts } from '@dmabuf-lab/lab';
import test from 'ava';
import { example } from './run-file.js';

test('executeRun, counts: each move is counted as it ends, and all ends as the result has it', async (t) => {
  const loaded = await loadScenario(example('encoder-off'));
  const scenario = applyOverrides(loaded.scenario, { runtime: 'virtual', payload: 'timing' });
  const seen: { readonly nowNs: number; readonly counts: RunCounts }[] = [];
  const { result } = await executeRun(await prepareRun({ ...loaded, scenario }, { counts: true }), {
    collectTrace: false,
    isBreakDue: () => true,
    onProgress: ({ nowNs, counts }) => {
      if (counts !== undefined) seen.push({ nowNs, counts });
    },
  });
  // Also those back to scattered pages, which the exporter makes of itself.
  const ends = result.buffers.flatMap(({ moves }) => moves.map(({ endNs }) => endNs));
  t.is(ends.length, result.moves);
  for (const { nowNs, counts } of seen) {
    const before = ends.filter((endNs) => endNs < nowNs).length;
    const byNow = ends.filter((endNs) => endNs <= nowNs).length;
    t.true(counts.moves >= before && counts.moves <= byNow, `${counts.moves} moves at ${nowNs} ns, not ${byNow}`);
  }
  t.true(seen.some(({ counts: { moves, frames } }) => moves > 0 && moves < result.moves && frames > 0));
  const frames = Object.values(result.devices).reduce((sum, { framesIn, framesOut }) => sum + framesIn + framesOut, 0);
  t.deepEqual(seen.at(-1)?.counts, { frames, moves: result.moves, deaths: 0, violations: 0, overdue: 0 });
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
