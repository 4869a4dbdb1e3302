/** Limits of how long fences and mappings may last, in whole runs: `debug.fenceDeadline` and its neighbours. */
import { parseScenario, type RunResult, ScenarioError } from '@dmabuf-lab/lab';
import test from 'ava';
import { type FileRun, runText } from './run-file.js';

interface Told {
  readonly debug?: string;
  readonly timeline?: string;
  readonly gpu?: string;
  readonly display?: string;
}

/** Frames every 20 ms; the GPU takes 6 ms for each. */
function preview({ debug = '', timeline = '', gpu = 'service: 6ms', display = '' }: Told): string {
  return `
name: ages
duration: 1000ms
memory: { windows: [{ name: dram, base: 0x4000_0000, size: 256MiB }] }
heaps: [{ name: system, kind: system, window: dram }]
exporter: { zeroBytesPerSecond: 1e15 }
devices:
  camera: { driver: camera, constraints: { iommu: { iovaBits: 32 } }, parameters: { width: 64, height: 64, rate: 50 } }
  gpu: { driver: gpu, constraints: { iommu: { iovaBits: 48 } }, parameters: { ${gpu} } }
  display: { driver: display, ${display} constraints: { iommu: { iovaBits: 32 } }, parameters: { refresh: 50 } }
pools: { camera.out: { buffers: 4 }, gpu.out: { buffers: 3 } }
links:
  - { from: camera.out, to: gpu.in }
  - { from: gpu.out, to: display.in }
supervision: { restart: never, late: 400ms, hung: 500ms }
${debug === '' ? '' : `debug: { ${debug} }`}
timeline: [${timeline}]
`;
}

const MS = 1_000_000;
const HANG = '{ at: 203ms, hang: gpu }';
const run = async (told: Told, options: FileRun = {}): Promise<RunResult> =>
  (await runText(preview(told), options)).result;
const agesOf = ({ incidents }: RunResult): RunResult['incidents'] =>
  incidents.filter(({ kind }) => kind === 'fence-overdue' || kind === 'mapping-overlong');

test('a device that hangs with a fence pending, is told of at the very deadline, with buffers and generations', async (t) => {
  const [fence, ...others] = agesOf(await run({ debug: 'fenceDeadline: 50ms', timeline: HANG }));
  t.deepEqual(others, []);
  const { fence: point, buffers, ...rest } = fence;
  const expected = { kind: 'fence-overdue', device: 'gpu', atNs: 250 * MS, life: 0, sinceNs: 200 * MS };
  t.deepEqual(rest, { ...expected, limitNs: 50 * MS } as typeof rest);
  t.deepEqual(
    buffers?.map(({ buffer, generation }) => [buffer.replace(/\d/, 'N'), generation]),
    [
      ['camera.out[N]', 1],
      ['gpu.out[N]', 1],
    ],
  );
  t.is(point?.seqno, 11, 'the job of the tick at 200 ms, the eleventh');
});

test('a mapping that stays open, is told of once, before its device is ended and what it held is taken back', async (t) => {
  const result = await run({ debug: 'mappingLimit: 100ms', timeline: HANG });
  const told = agesOf(result).filter(({ device }) => device === 'gpu');
  t.deepEqual(
    told.map(({ kind, atNs, sinceNs, held }) => [kind, atNs / MS, (sinceNs ?? 0) / MS, held]),
    [
      ['mapping-overlong', 300, 200, undefined],
      ['mapping-overlong', 300, 200, undefined],
    ],
  );
  t.deepEqual(
    result.incidents.filter(({ device }) => device === 'gpu').map(({ kind }) => kind),
    ['mapping-overlong', 'mapping-overlong', 'late', 'died', 'reclaimed'],
  );
});

test('a device that is killed, has nothing open any more that could become too old', async (t) => {
  const debug = 'fenceDeadline: 50ms, mappingLimit: 100ms';
  const told = agesOf(await run({ debug, timeline: '{ at: 203ms, kill: gpu }' }));
  t.deepEqual(
    told.filter(({ device }) => device === 'gpu'),
    [],
  );
});

test('a job that ends at the very instant of its limit, is in time; a nanosecond less, and it is not', async (t) => {
  t.deepEqual(agesOf(await run({ debug: 'fenceDeadline: 6ms, mappingLimit: 21ms' })), []);
  const told = agesOf(await run({ debug: 'fenceDeadline: 5999999ns' }));
  t.is(told.length, 50, 'each frame of the second');
  t.true(told.every(({ device, atNs, sinceNs }) => device === 'gpu' && atNs === (sinceNs ?? 0) + 5_999_999));
});

test('mappings that are held, are told of only by heldMappingLimit', async (t) => {
  const display = 'mapping: held,';
  const jobs = agesOf(await run({ debug: 'mappingLimit: 50ms', display }));
  t.deepEqual(jobs, []);
  const held = agesOf(await run({ debug: 'mappingLimit: 50ms, heldMappingLimit: 300ms', display }));
  t.is(held.length, 3, 'once a buffer');
  for (const { device, held: isHeld, atNs, sinceNs } of held) {
    t.deepEqual([device, isHeld, atNs - (sinceNs ?? 0)], ['display', true, 300 * MS]);
  }
});

test('limits, change nothing else of a run: neither its events nor what they lead to', async (t) => {
  for (const ties of ['fifo', 'seed'] as const) {
    const plain = await run({ timeline: HANG }, { overrides: { ties } });
    const watched = await run(
      { timeline: HANG, debug: 'fenceDeadline: 1ms, mappingLimit: 2ms, heldMappingLimit: 3ms' },
      { overrides: { ties } },
    );
    t.true(agesOf(watched).length > 10);
    const incidents = watched.incidents.filter((one) => !agesOf(watched).includes(one));
    t.deepEqual({ ...watched, incidents }, plain);
  }
});

test('on threads, what lasts too long is told of at a beat after its limit', async (t) => {
  // Each job is too old for longer than a beat of 50 ms.
  const gpu = 'service: 70ms';
  const text = preview({ debug: 'fenceDeadline: 5ms, mappingLimit: 6ms', gpu });
  const patient = text.replace('late: 400ms, hung: 500ms', 'late: 60s, hung: 100s');
  const { result } = await runText(patient, {
    overrides: { runtime: 'threads', payload: 'timing' },
  });
  const told = agesOf(result).filter(({ device }) => device === 'gpu');
  t.true(told.some(({ kind }) => kind === 'fence-overdue'));
  t.true(told.some(({ kind }) => kind === 'mapping-overlong'));
  t.true(told.every(({ atNs, sinceNs = 0, limitNs = 0 }) => atNs >= sinceNs + limitNs));
});

for (const [value, got] of [
  ['50', '50'],
  ['0ms', '0ms'],
  ['-1ms', '-1ms'],
  ['soon', 'soon'],
] as const) {
  test(`a limit of ${value}, is refused with its place and what was expected`, (t) => {
    for (const key of ['fenceDeadline', 'mappingLimit', 'heldMappingLimit']) {
      const error = t.throws(() => parseScenario(preview({ debug: `${key}: ${value}` }), 'ages.yaml'), {
        instanceOf: ScenarioError,
      });
      t.regex(error?.message ?? '', new RegExp(`ages\\.yaml:16:10: debug\\.${key}: expected a duration .*${got}`));
    }
  });
}
