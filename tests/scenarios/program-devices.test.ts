import { loadScenario, runProgramWith } from '@dmabuf-lab/lab';
import test from 'ava';
import { run } from '../unit/lab/cli/command-line.js';
import { example, ROOT } from './run-file.js';

const PROGRAMS = 'tests/scenarios/programs/';
const flagship = () => loadScenario(example('late-encoder'));

test('a job of the GPU that is queued while its source moves, works on what it was given, and the move waits for it', async (t) => {
  const { report } = await runProgramWith(`${ROOT}${PROGRAMS}queued-job-moves.mjs`, {}, await flagship());
  const { movedAtNs, ...place } = report.result as { movedAtNs: number; heap: string; moves: number };
  t.like(place, { heap: 'reserved', moves: 1 });
  t.true(movedAtNs > 12_000_000, `two jobs of 6 ms, then the move, at ${movedAtNs}`);
  t.deepEqual(report.findings, []);
});

test('each recording leaves a video of its own, also when the program ends at once', async (t) => {
  const { artefacts } = await runProgramWith(`${ROOT}${PROGRAMS}two-recordings.mjs`, {}, await flagship());
  t.deepEqual(
    artefacts.map(({ name, frames }) => [name, frames]),
    [
      ['video.mp4', 3],
      ['video-2.mp4', 2],
    ],
  );
});

test('where caches are not coherent, a device reads what the CPU has not written back, and that is found', async (t) => {
  const coherent = await runProgramWith(`${ROOT}${PROGRAMS}two-recordings.mjs`, {}, await flagship());
  t.deepEqual(coherent.report.findings, []);
  const { report } = await runProgramWith(
    `${ROOT}${PROGRAMS}two-recordings.mjs`,
    { nonCoherent: true },
    await flagship(),
  );
  t.true(report.findings.some(({ kind }) => kind === 'cache-device-reads-stale'));
  t.notDeepEqual(report.result, coherent.report.result);
});

test('a program that does not end, is stopped at the limit', async (t) => {
  const words = ['program', `${PROGRAMS}never-ends.mjs`, '--scenario', 'examples/late-encoder.yaml', '--limit', '2s'];
  const { code, stderr } = await run(ROOT, words);
  t.is(code, 1);
  t.regex(stderr, /^The run failed: program: The program had not ended after 2 s of model time; see --limit\n$/);
  const wrong = await run(ROOT, [...words.slice(0, -1), 'soon']);
  t.is(wrong.code, 2);
  t.regex(wrong.stderr, /^Cannot use --limit soon: expected a time/);
});

test('a result of 64 bits is printed as text, and a main that is no generator is no program', async (t) => {
  const { code, stdout } = await run(ROOT, ['program', `${PROGRAMS}big-numbers.mjs`, '--json']);
  t.is(code, 0);
  t.deepEqual(JSON.parse(stdout).result, {
    point: '9223372036854775808',
    twice: [1],
    again: [1],
    self: '[circular]',
  });
  const wrong = await run(ROOT, ['program', `${PROGRAMS}not-a-generator.mjs`]);
  t.is(wrong.code, 2);
  t.regex(wrong.stderr, /its main is no generator function/);
});
