/** The exporter dies at any instant and comes back: maps wait, no buffer is lost, nothing is left (docs/decisions/0011). */
import { applyOverrides, executeRun, parseScenario, prepareRun, type RunResult } from '@dmabuf-lab/lab';
import test from 'ava';
import { BACK as AGAIN, type SlowStart } from './programs/slow-exporter.js';
import { runText } from './run-file.js';

interface Board {
  readonly heaps?: string;
  readonly exporter?: string;
  readonly pool?: string;
  readonly gpu?: string;
  readonly restart?: string;
  readonly durationMs?: number;
}

/** A preview, a recorder that comes late and makes the camera's buffers move, and lines of one's own. */
function recorder(lines: string, board: Board = {}): string {
  const { durationMs = 200, restart = 'one-for-one', exporter = '{}', pool = '{ buffers: 4 }', gpu = '' } = board;
  return `
name: exporter-restart
duration: ${durationMs}ms
payload: stamp
memory: { windows: [{ name: dram, base: 0x4000_0000, size: 256MiB }] }
heaps:
  ${board.heaps ?? '- { name: system, kind: system, window: dram }'}
  - { name: cma, kind: cma, window: dram, base: 0x4800_0000, size: 16MiB }
exporter: ${exporter}
devices:
  camera: { driver: camera, constraints: { iommu: { iovaBits: 32 } }, parameters: { width: 320, height: 240, rate: 60 } }
  gpu: { driver: gpu, constraints: { iommu: { iovaBits: 48 } }, parameters: { service: 6ms } ${gpu} }
  display: { driver: display, constraints: { iommu: { iovaBits: 32 } }, parameters: { refresh: 60 } }
  encoder: { driver: encoder, constraints: { contiguous: true }, parameters: { service: 8ms } }
pools:
  camera.out: ${pool}
  gpu.out: { buffers: 3 }
links:
  - { from: camera.out, to: gpu.in }
  - { from: gpu.out, to: display.in }
  - { from: camera.out, to: encoder.in, depth: 2, policy: drop-oldest }
supervision: { restart: ${restart}, restarts: 1000, backoff: 1ms, late: 100ms, hung: 300ms }
timeline: [{ at: 60ms, attach: encoder }, ${lines}]
`;
}

const kindsOf = ({ incidents }: RunResult): string[] => incidents.map(({ kind, device }) => `${device} ${kind}`);
const checksFailed = ({ devices }: RunResult): number =>
  Object.values(devices).reduce((sum, { counters }) => sum + (counters.checksFailed ?? 0), 0);
const BACK = ['exporter died', 'exporter reclaimed', 'exporter restarted'];

/** `npm test` makes a third of the instants, but for the first test; `TEST_RUNS=1` makes all. */
const SPARSE = Number(process.env.TEST_RUNS ?? 0) >= 1 ? 1 : 3;

/** Instants of a run, in microseconds: a grid, and a dense one around the late attach and its moves. */
function* instants(grid: number, dense: number): Generator<number> {
  for (let atUs = 1; atUs < 190_000; atUs += grid) yield atUs;
  for (let atUs = 60_000; atUs < 75_000; atUs += dense) yield atUs;
}

test('the exporter killed at each of many instants: it comes back, nothing is left, no content is bad, all buffers are the same', async (t) => {
  let moved = 0;
  for (const atUs of instants(4999, 251)) {
    const { result } = await runText(recorder(`{ at: ${atUs}us, kill: exporter }`));
    t.deepEqual(kindsOf(result), BACK, `at ${atUs} us`);
    t.true(result.ledger.empty, `at ${atUs} us: ${JSON.stringify(result.ledger)}`);
    t.is(checksFailed(result), 0, `at ${atUs} us`);
    t.is(result.buffers.length, 7, `at ${atUs} us`);
    t.true(result.devices.encoder.framesIn > 3, `at ${atUs} us`);
    t.true(result.devices.display.counters.shown >= 8, `at ${atUs} us`);
    moved += result.moves;
  }
  t.true(moved > 100);
});

for (const [name, board] of Object.entries<Board>({
  'moves at attach': { exporter: '{ moveAt: attach }' },
  'storage that moves back': { exporter: '{ moveBack: idle }' },
  'slow copies': { exporter: '{ copyBytesPerSecond: 50000000 }' },
  'eager storage': { pool: '{ buffers: 4, allocate: { ion: [system] }, movable: true }' },
  'a dynamic importer': { gpu: ', importer: dynamic' },
  'a worn heap with a pool': {
    heaps:
      '- { name: system, kind: system, window: dram, aged: { keep: 0.5 }, pool: { limit: 8MiB, fill: 4MiB }, deferredFree: true }',
  },
})) {
  test(`the exporter killed at each of many instants, with ${name}: nothing is left, and no content is bad`, async (t) => {
    for (const atUs of instants(19_937 * SPARSE, 1999 * SPARSE)) {
      const lines = `{ at: ${atUs}us, kill: exporter }${name.includes('back') ? ', { at: 120ms, detach: encoder }' : ''}`;
      const { result } = await runText(recorder(lines, board));
      t.deepEqual(kindsOf(result), BACK, `at ${atUs} us`);
      t.true(result.ledger.empty, `at ${atUs} us: ${JSON.stringify(result.ledger)}`);
      t.is(checksFailed(result), 0, `at ${atUs} us`);
    }
  });
}

test('the exporter and a device dead at once, in either order: both come back, and nothing is left', async (t) => {
  for (const device of ['camera', 'gpu', 'encoder']) {
    for (let atUs = 1009; atUs < 190_000; atUs += 29_983 * SPARSE) {
      for (const [first, second] of [
        [device, 'exporter'],
        ['exporter', device],
      ]) {
        const lines = `{ at: ${atUs}us, kill: ${first} }, { at: ${atUs}us, kill: ${second} }`;
        const text =
          device === 'encoder' ? recorder(lines).replace('{ at: 60ms, attach: encoder },', '') : recorder(lines);
        const { result } = await runText(text);
        t.deepEqual(kindsOf(result).sort(), [...BACK, ...BACK.map((one) => one.replace('exporter', device))].sort());
        t.true(result.ledger.empty, `${first}, ${second} at ${atUs} us: ${JSON.stringify(result.ledger)}`);
        t.is(checksFailed(result), 0);
      }
    }
  }
});

for (const { name, lines, deaths } of [
  {
    name: 'killed, and killed again while buffers move for a late encoder',
    lines: '{ at: 500ms, kill: exporter }, { at: 3004ms, kill: exporter }',
    deaths: [...BACK, ...BACK],
  },
  // A worker takes its time to start on a machine that is busy: hence seconds.
  {
    name: 'killed together with the gpu, and with the camera',
    lines:
      '{ at: 600ms, kill: exporter }, { at: 600ms, kill: gpu }, { at: 3400ms, kill: camera }, { at: 3401ms, kill: exporter }',
    deaths: [
      ...BACK,
      ...BACK,
      ...['camera', 'gpu'].flatMap((one) => BACK.map((kind) => kind.replace('exporter', one))),
    ],
  },
]) {
  // Alone: beside the runs in virtual time, which leave this thread no turn, a worker takes seconds to come back.
  test.serial(`on threads, the exporter ${name}: nothing is left, and no content is bad`, async (t) => {
    const text = recorder(lines, { durationMs: 6500, exporter: '{ copyBytesPerSecond: 50000000 }' })
      .replace('at: 60ms', 'at: 3s')
      .replace('late: 100ms, hung: 300ms', 'late: 60s, hung: 100s');
    const { result } = await runText(text, { overrides: { runtime: 'threads' } });
    const kinds = kindsOf(result);
    // Who is killed while it is still dead, as on a very busy machine, dies once only; whoever dies comes back.
    for (const one of new Set(deaths)) {
      const device = one.split(' ')[0];
      const countOf = (kind: string): number => kinds.filter((other) => other === `${device} ${kind}`).length;
      t.true(
        countOf('died') >= 1 && countOf('died') <= deaths.filter((other) => other === `${device} died`).length,
        `${kinds}`,
      );
      t.deepEqual([countOf('reclaimed'), countOf('restarted')], [countOf('died'), countOf('died')], `${kinds}`);
    }
    t.true(
      kinds.every((kind) => deaths.includes(kind)),
      `${kinds}`,
    );
    t.true(result.ledger.empty, JSON.stringify(result.ledger));
    t.is(checksFailed(result), 0);
    // How much gets through, if anything, depends on the machine.
    t.true(result.devices.camera.counters.ticks > 0);
  });
}

test('an exporter that hangs, is ended after 300 ms and comes back; one that is paused goes on', async (t) => {
  const { result } = await runText(recorder('{ at: 61ms, hang: exporter }', { durationMs: 1000 }));
  t.deepEqual(kindsOf(result), ['exporter late', ...BACK]);
  t.true(result.ledger.empty);
  const paused = (await runText(recorder('{ at: 61ms, pause: exporter, for: 150ms }', { durationMs: 1000 }))).result;
  t.deepEqual(kindsOf(paused), ['exporter late']);
  t.true(paused.ledger.empty);
});

test('an exporter that an event restarts, without a strategy: whoever needs it waits for the event', async (t) => {
  const text = recorder('{ at: 62ms, kill: exporter }, { at: 300ms, restart: exporter }', {
    durationMs: 1000,
    restart: 'never',
  });
  const { result } = await runText(text);
  t.deepEqual(kindsOf(result), BACK);
  t.true(result.ledger.empty);
  t.true(result.devices.encoder.framesIn > 10);
});

test('a run that is interrupted while the exporter waits for its restart, ends all the same', async (t) => {
  const text = recorder('{ at: 62ms, kill: exporter }, { at: 1990ms, restart: exporter }', {
    durationMs: 2000,
    restart: 'never',
  });
  const stop = new AbortController();
  const { result } = await runText(text, {
    signal: stop.signal,
    onProgress: ({ nowNs }) => {
      if (nowNs > 150e6) stop.abort();
    },
  });
  t.is(result.endedBy, 'interrupted');
  t.true(result.ledger.empty, JSON.stringify(result.ledger));
});

for (const { name, lines, restart, problem } of [
  {
    name: 'killed, where nothing restarts it',
    lines: '{ at: 1ms, kill: exporter }',
    restart: 'never',
    problem: /nothing restarts the exporter/,
  },
  {
    name: 'attached',
    lines: '{ at: 1ms, attach: exporter }',
    restart: 'one-for-one',
    problem: /the exporter is no device/,
  },
  {
    name: 'killed a second time, where only the first is followed by a restart',
    lines: '{ at: 1ms, kill: exporter }, { at: 2ms, restart: exporter }, { at: 3ms, kill: exporter }',
    restart: 'never',
    problem: /timeline\.3\.kill: nothing restarts the exporter/,
  },
]) {
  test(`an exporter that is ${name}, is refused before the run`, async (t) => {
    await t.throwsAsync(runText(recorder(lines, { restart })), { message: problem });
  });
}

test('on threads, the exporter hangs while it sets up again: it is ended as hung, and not only at the deadline of the set-up', async (t) => {
  // Its second life stays in its set-up until one of these comes, the first after it has begun. The next life ends the run, long before
  // another comes; a worker takes its time to start on a machine that is busy.
  const hangs = Array.from({ length: 10 }, (_, i) => `{ at: ${1 + 10 * i}s, hang: exporter }`);
  const lines = ['{ at: 70ms, kill: exporter }', ...hangs].join();
  const text = recorder(lines, { durationMs: 100_000 }).replace('hung: 300ms', 'hung: 1s');
  const loaded = parseScenario(text, 'test.yaml');
  const prepared = await prepareRun({ ...loaded, scenario: applyOverrides(loaded.scenario, { runtime: 'threads' }) });
  const actors = prepared.actors.map((actor) => {
    if (actor.resumes !== true) return actor;
    const data: SlowStart = { module: actor.module, data: actor.data };
    return { ...actor, module: new URL('./programs/slow-exporter.js', import.meta.url).href, data };
  });
  const stop = new AbortController();
  const onOutput = (_: string, line: string): void => {
    if (line === AGAIN) stop.abort();
  };
  const { result } = await executeRun({ ...prepared, actors }, { collectTrace: false, onOutput, signal: stop.signal });
  const deaths = result.incidents.filter(({ kind, device }) => kind === 'died' && device === 'exporter');
  t.like(deaths[1], { life: 1, cause: 'hung' });
  t.is(deaths[1].why, undefined, 'why: only of a set-up that took too long');
  t.true(result.ledger.empty);
});

test('an exporter that is not to be restarted, is not ended for being silent, as on a machine that is very busy', async (t) => {
  const text = recorder('{ at: 61ms, pause: exporter, for: 700ms }', { durationMs: 1000 });
  const prepared = await prepareRun(parseScenario(text, 'test.yaml'));
  // What a scenario without a restart prepares, to which an event may do no such thing.
  const actors = prepared.actors.map(({ resumes: _, ...actor }) => actor);
  const { result } = await executeRun({ ...prepared, actors }, { collectTrace: false });
  t.deepEqual(kindsOf(result), ['exporter late']);
  t.true(result.ledger.empty);
});
