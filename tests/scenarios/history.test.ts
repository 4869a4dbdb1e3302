/** The history checker in runs of scenarios: it fails those in which somebody breaks the rules of sharing. */
import { fileURLToPath } from 'node:url';
import { historyLines, type RunOutcome, summarize } from '@dmabuf-lab/lab';
import test from 'ava';
import { example, runFile, runText } from './run-file.js';

const CAMERA = fileURLToPath(new URL('./drivers/breaking-camera.js', import.meta.url));

/** On threads all has time to happen, also where a worker is not scheduled for a while. */
function pipeline(breaks: string, runtime: string, timeline = ''): string {
  const isReal = runtime === 'threads';
  // What one draws at each tick into what it has passed on, is drawn for some ticks only.
  const realDuration = breaks === 'publishes-no-fence' ? '30ms' : '1s';
  return `
name: history
duration: ${isReal ? realDuration : '100ms'}
runtime: ${runtime}
pace: real
payload: stamp
debug: { history: true }
memory: { windows: [{ name: dram, base: 0x4000_0000, size: 64MiB }] }
heaps: [{ name: system, kind: system, window: dram }]
devices:
  camera: { driver: ${JSON.stringify(CAMERA)}, parameters: { breaks: ${breaks}, draws: ${isReal ? 500 : 40} } }
  encoder: { driver: encoder, parameters: { service: 2ms } }
links:
  - { from: camera.out, to: encoder.in }
timeline: [${timeline}]
`;
}

async function run(breaks: string, runtime = 'virtual', timeline?: string): Promise<RunOutcome> {
  return await runText(pipeline(breaks, runtime, timeline));
}

/** What a failed run has to say about its buffers. */
const historyOf = (error: Error | undefined): string => String((error as Error & { history?: string })?.history);

for (const runtime of ['virtual', 'threads']) {
  test(`history checker, ${runtime}: a camera that keeps the rules, has no violation`, async (t) => {
    const { result } = await run('nothing', runtime);
    t.true((result.history?.events ?? 0) > 50);
    t.deepEqual(result.history?.violations, []);
    t.regex(summarize(result), /HISTORY OF THE BUFFERS\n {2}No violation in \d+ events/);
  });

  test(`history checker, ${runtime}: a camera that hands a frame on before its fence, is read too early`, async (t) => {
    const { result } = await run('publishes-no-fence', runtime);
    const { violationCount = 0, violations = [] } = result.history ?? {};
    t.true(violationCount > 0);
    const texts = violations.map(({ text }) => text);
    t.true(texts.includes('a reader and a writer at once'), `${texts}`);
    t.true(texts.some((text) => text.startsWith('read before the fence of the writer')));
    // From the last good state on: no more than the write, the read, and who found it.
    const [{ history, device, slot }] = violations;
    t.true(device === 'encoder' || runtime === 'threads', device);
    t.is(typeof slot, 'number');
    if (runtime === 'virtual') t.true(history.length <= 12, `${history.length}`);
    const told = history.map(({ actor, event }) => `${actor} ${event}`);
    t.true(told.some((line) => /camera begins to write content/.test(line)));
    t.true(told.some((line) => /found the violation/.test(line)));
    t.regex(historyLines(result).join('\n'), /What happened to the buffer since its last good state/);
  });

  test(`history checker, ${runtime}: a camera that asks for pages after its job, is told beside the error`, async (t) => {
    const error = await t.throwsAsync(run('touches-late', runtime));
    t.regex(historyOf(error), /touched after its unmap, found by camera/);
    t.regex(historyOf(error), /camera, lane 0 +signalled fence/);
  });
}

test('history checker: a fence that nobody signals, and who waits for it without an end', async (t) => {
  const error = await t.throwsAsync(run('never-ends'), { code: 'EDEADLK' } as never);
  t.regex(historyOf(error), /waited without an end, since \d+ ns, found by encoder/);
  t.regex(historyOf(error), /camera, lane 0 +begins to write content 1/);
});

test('history checker: a writer that is killed half-way, leaves no violation', async (t) => {
  const { result } = await run('never-ends', 'virtual', '{ at: 50ms, kill: camera }');
  t.deepEqual(result.history?.violations, []);
});

/** Whoever publishes looks for conflicting fences once more; only its waits keep this reader from reading too early. */
test('history checker: a reader that publishes no fence, waits for that of the writer', async (t) => {
  const reader = fileURLToPath(new URL('./drivers/quiet-reader.js', import.meta.url));
  const text = pipeline('nothing', 'virtual')
    .replace(
      'encoder: { driver: encoder, parameters: { service: 2ms } }',
      'gpu: { driver: gpu, parameters: { service: 5ms } }',
    )
    .replace('links:', `  reader: { driver: ${JSON.stringify(reader)} }\nlinks:\n  - { from: gpu.out, to: reader.in }`)
    .replace('to: encoder.in', 'to: gpu.in');
  const { result } = await runText(text);
  t.deepEqual(result.history?.violations, []);
  t.is(result.devices.reader.framesIn, result.devices.gpu.framesOut);
  t.true(
    result.devices.reader.fenceWaitNs > 5_000_000 * (result.devices.reader.framesIn - 1),
    'each frame is waited for',
  );
});

test('history checker: a run on the virtual clock is the same with it', async (t) => {
  const outcome = async (history: boolean) =>
    (
      await runFile(example('crash-and-recover'), {
        overrides: { runtime: 'virtual', history, duration: 1_500_000_000 },
      })
    ).result;
  const { history: none, ...plain } = await outcome(false);
  const { history, ...watched } = await outcome(true);
  t.is(none, undefined);
  t.true((history?.events ?? 0) > 500);
  t.deepEqual(watched, plain);
});
