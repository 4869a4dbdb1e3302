/** What the runtimes promise: rows 11, 18, 24, 26, 27 and 28. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { TraceLog } from '@dmabuf-lab/core/base';
import { ThreadsRuntime } from '@dmabuf-lab/core/runtime';
import { executeRun, parseScenario, prepareRun, type RunOptions, type RunOutcome } from '@dmabuf-lab/lab';
import test from 'ava';
import { ROOT, runText } from '../scenarios/run-file.js';
import { logs, scriptedSpec } from '../unit/core/runtime/scripted-run.js';

const PREVIEW = `
name: clock-jump
duration: 500ms
payload: stamp
memory: { windows: [{ name: dram, base: 0x4000_0000, size: 64MiB }] }
heaps: [{ name: system, kind: system, window: dram }]
devices:
  camera: { driver: camera, parameters: { width: 64, height: 64, rate: 60 } }
  display: { driver: gpu, parameters: { service: 3ms } }
links: [{ from: camera.out, to: display.in }]
`;

test('row 11: a worker whose heap is full, dies alone: a call to it is rejected, others go on, and it comes back', async (t) => {
  const spec = {
    ...scriptedSpec({
      client: [
        { do: 'call', peer: 'hoarder', method: 'never', args: {} },
        { do: 'log', text: 'goes on' },
      ],
      hoarder: [{ do: 'serve', method: 'never', answer: 'never' }, { do: 'hoard' }, { do: 'serve others' }],
    }),
    supervision: {
      restart: { strategy: 'one-for-one', restarts: 1, withinNs: 600e9, backoffNs: 0, maxBackoffNs: 0 },
      lateNs: 600e9,
      hungNs: 600e9,
    } as const,
  };
  const report = await new ThreadsRuntime(spec, { pace: 'real', heapLimitMiB: 32 }).run();
  t.deepEqual(
    report.incidents.map(({ actor, kind }) => `${actor} ${kind}`),
    ['hoarder died', 'hoarder reclaimed', 'hoarder restarted'],
  );
  t.is(report.incidents[0].cause, 'failed');
  t.regex(logs(report).client.join('; '), /failed ENODEV -19 .*; .* goes on/);
});

test('row 18: a wall clock that jumps by hours, changes nothing in virtual time', async (t) => {
  const quiet = await runText(PREVIEW);
  const { now } = Date;
  let calls = 0;
  Date.now = () => {
    calls += 1;
    return now() + (calls % 2 === 0 ? 3_600_000 : -3_600_000);
  };
  try {
    const jumping = await runText(PREVIEW);
    t.deepEqual(jumping.result, quiet.result);
  } finally {
    Date.now = now;
  }
});

test('row 18: no source but the threads runtime and the command line reads a clock of the host', (t) => {
  // `traps.ts` names them, to find them in drivers; `outside-watch.ts` only ends runs that would not end.
  const allowed =
    /core\/src\/runtime\/(threads\/|virtual\/outside-watch\.ts$)|core\/src\/testing\/traps\.ts$|lab\/src\/(cli|report|stress)\//;
  const readers = sources().filter((path) =>
    /\bDate\.now|new Date\(|performance\.now|process\.hrtime/.test(codeOf(path)),
  );
  t.deepEqual(
    readers.filter((path) => !allowed.test(path)),
    [],
  );
});

test('row 18: no source at all looks at the wall clock', (t) => {
  const readers = sources().filter((path) => /\bDate\.now|new Date\(|\bDate\(\)/.test(codeOf(path)));
  // It names them, to find them in drivers.
  t.deepEqual(readers, ['packages/core/src/testing/traps.ts']);
});

test('row 24: no thread is ever blocked by Atomics.wait but that of a driver that is to be paused', (t) => {
  const blockers = sources().filter((path) => /Atomics\.wait\(/.test(codeOf(path)));
  t.deepEqual(blockers, ['packages/core/src/runtime/threads/worker-main.ts']);
});

test('row 26: more devices than there may be workers, are refused before anything starts', async (t) => {
  const many = Array.from({ length: 40 }, (_, i) => `  d${i}: { driver: gpu }`).join('\n');
  const text = PREVIEW.replace('links:', `${many}\nlinks:`).replace(/(devices:[\s\S]*?)\n( {2}d0)/, '$1\n$2');
  const error = await t.throwsAsync(async () => runText(text));
  t.regex(error?.message ?? '', /at most 16|1 to 16/);
});

test('row 27: real workers, in many rounds, never both miss the other (store buffering) and lose no wake-up, blocked or parked', async (t) => {
  const shared = new SharedArrayBuffer(64 * 4);
  const ROUNDS = 20_000;
  const sides = await Promise.all(
    [0, 1].map(
      (side) =>
        new Promise<{ neither: number; turns: number }>((resolve, reject) => {
          const worker = new Worker(new URL('./litmus-worker.js', import.meta.url), {
            workerData: { side, shared, rounds: ROUNDS },
          });
          worker.once('message', resolve);
          worker.once('error', reject);
        }),
    ),
  );
  t.is(sides[0].neither, 0);
  t.deepEqual(
    sides.map(({ turns }) => turns),
    [ROUNDS / 10, ROUNDS / 10],
  );
});

test('row 28: a trace that is full, drops what comes, never waits, and says how many it has dropped', (t) => {
  const log = new TraceLog(true, 3);
  for (let i = 0; i < 10; i += 1) log.add({ track: 'gpu', name: 'job', startNs: i });
  t.is(log.events.length, 3);
  t.deepEqual(log.report().at(-1), {
    track: 'trace',
    name: 'events dropped',
    startNs: 2,
    args: { dropped: 7, capacity: 3 },
  });
});

test('row 28: a run whose trace is full after ten events of each actor, tells how many are missing and is otherwise the same', async (t) => {
  const scenario = parseScenario(PREVIEW, 'preview.yaml');
  const runWith = async (options: RunOptions, runtime: 'virtual' | 'threads' = 'virtual') => {
    const changed = { ...scenario, scenario: { ...scenario.scenario, runtime, pace: 'max' as const } };
    return await executeRun(await prepareRun(changed), options);
  };
  const plain = await runWith({ collectTrace: false });
  const whole = await runWith({ collectTrace: true });
  const full = await runWith({ collectTrace: true, traceCapacity: 10 });
  t.deepEqual(full.result, plain.result, 'the same frames, to the fingerprint');
  const missing = (trace: RunOutcome['trace']): number =>
    trace.reduce((sum, { name, args }) => sum + (name === 'events dropped' ? Number(args?.dropped) : 0), 0);
  t.is(missing(whole.trace), 0);
  const told = full.trace.filter(({ name }) => name === 'events dropped').length;
  t.true(told >= 2, 'of both devices');
  t.is(full.trace.length - told + missing(full.trace), whole.trace.length);
  const threads = await runWith({ collectTrace: true, traceCapacity: 10 }, 'threads');
  t.true(missing(threads.trace) > 0);
  t.is(threads.result.devices.camera.framesOut, plain.result.devices.camera.framesOut);
});

test('row 28: the trace of a device that is started again, tells how many events of all its lives are missing', async (t) => {
  const timeline = 'timeline: [{ at: 200ms, kill: camera }, { at: 300ms, restart: camera }]';
  const scenario = parseScenario(`${PREVIEW}${timeline}\n`, 'preview.yaml');
  const runWith = async (options: RunOptions) => await executeRun(await prepareRun(scenario), options);
  const whole = await runWith({ collectTrace: true });
  const full = await runWith({ collectTrace: true, traceCapacity: 3 });
  const isOfCamera = ({ track }: { track: string }): boolean => track.startsWith('camera');
  t.true(whole.trace.filter(isOfCamera).length > 12, 'each of its lives has more than fit');
  const told = full.trace.filter(({ name }) => name === 'events dropped');
  const missing = told.reduce((sum, { args }) => sum + Number(args?.dropped), 0);
  t.is(full.trace.length - told.length + missing, whole.trace.length);
});

/** Source files of all packages, from the root. */
function sources(): string[] {
  const packages = readdirSync(join(ROOT, 'packages'));
  return packages.flatMap((name) =>
    readdirSync(join(ROOT, 'packages', name, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts'))
      .map((path) => `packages/${name}/src/${path.replaceAll('\\', '/')}`),
  );
}

/** A source without its comments. */
function codeOf(path: string): string {
  const text = readFileSync(fileURLToPath(new URL(path, `file://${ROOT}`)), 'utf8');
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/\/\/.*$/gm, '');
}
