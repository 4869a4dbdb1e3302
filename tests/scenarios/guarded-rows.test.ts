/** Words of reservations and timelines that somebody overwrites in the middle of a run: who is told, who loses frames, who goes on. */
import { wordIndex } from '@dmabuf-lab/core/base';
import type { DeviceReport } from '@dmabuf-lab/core/driver';
import { PhysicalMemory } from '@dmabuf-lab/core/memory';
import { VirtualRuntime } from '@dmabuf-lab/core/runtime';
import { RESV_ROW_WORDS, TIMELINE_ROW_WORDS } from '@dmabuf-lab/core/sync';
import { type ExporterReport, parseScenario, prepareRun } from '@dmabuf-lab/lab';
import test from 'ava';

/** The encoder leaves: the exporter then works on the camera's buffers, and finds what is damaged. */
const SCENARIO = `
name: wild-writes
duration: 1000ms
memory: { windows: [{ name: dram, base: 0x4000_0000, size: 256MiB }] }
heaps: [{ name: system, kind: system, window: dram }]
devices:
  camera: { driver: camera, parameters: { width: 64, height: 64, rate: 50 } }
  gpu: { driver: gpu, parameters: { service: 6ms } }
  display: { driver: display, parameters: { refresh: 50 } }
  encoder: { driver: encoder, parameters: { service: 4ms } }
pools: { camera.out: { buffers: 4 }, gpu.out: { buffers: 3 } }
links:
  - { from: camera.out, to: gpu.in }
  - { from: gpu.out, to: display.in }
  - { from: camera.out, to: encoder.in, depth: 2, policy: drop-oldest }
timeline: [{ at: 500ms, detach: encoder }, { at: 600ms, attach: encoder }]
`;
const WRITTEN_NS = 300_000_000;
const SEEN_NS = 500_000_000;
/** The second actor after the exporter and the camera has its lanes from here on. */
const GPU_TIMELINE = 16;

/** Runs the scenario, and overwrites words of the table at one instant. */
async function run(table: 'resv' | 'timelines', first: number, count: number) {
  const prepared = await prepareRun(parseScenario(SCENARIO, 'wild.yaml'));
  const { actors, tables, scenario } = prepared;
  const windows = scenario.memory.windows.map(({ name, base, size }) => ({ name, base, sizeBytes: size }));
  const spec = { actors, controlBytes: tables.sizeBytes, seed: 1, trace: false };
  let isDone = false;
  const onEvent = (nowNs: number): void => {
    if (isDone || nowNs < WRITTEN_NS) return;
    isDone = true;
    for (let i = 0; i < count; i += 1) runtime.words.store(wordIndex(tables[table].base + first + i), 0x7777);
  };
  const memory = PhysicalMemory.create(windows).handle;
  const runtime = new VirtualRuntime({ ...spec, memory }, { ties: 'fifo', onEvent });
  const { outcomes } = await runtime.run();
  const reportOf = (actor: string): unknown => outcomes.find(({ name }) => name === actor)?.report;
  const device = (name: string): DeviceReport => reportOf(name) as DeviceReport;
  return { exporter: reportOf('exporter') as ExporterReport, device };
}

const LEFT_NOTHING = { buffers: 0, attachments: 0, mappings: 0, by: [], frames: 0 };

for (const [what, first, count] of [
  ['the end of a reservation', RESV_ROW_WORDS - 4, 4],
  ['all of a reservation', 0, RESV_ROW_WORDS],
] as const) {
  test(`${what} overwritten, costs the frames of that buffer, and nothing hangs or is left`, async (t) => {
    const { exporter, device } = await run('resv', first, count);
    const [found, ...more] = exporter.corruptions;
    t.deepEqual(more, []);
    t.like(found, { buffer: 'camera.out[0]', seenNs: SEEN_NS });
    t.regex(found.what, /^reservation 0 of camera\.out\[0\]: its guard word 62 holds 0x00007777/);
    const refused = device('camera').counters.refusedEIO;
    t.true(refused >= 5 && refused <= 7, `one frame in four of the last 0.5 s: ${refused}`);
    t.is(device('display').counters.shown, 50 - refused);
    for (const name of ['camera', 'gpu', 'display']) t.is(device(name).counters.checksFailed ?? 0, 0, name);
    t.deepEqual(exporter.left, LEFT_NOTHING);
  });
}

test('the end of a timeline overwritten, ends the work of its device, and that of nobody else', async (t) => {
  const { exporter, device } = await run('timelines', GPU_TIMELINE * TIMELINE_ROW_WORDS + TIMELINE_ROW_WORDS - 4, 4);
  t.is(exporter.corruptions.length, 1);
  t.like(exporter.corruptions[0], { timeline: { device: 'gpu', lane: 0 }, seenNs: SEEN_NS });
  const { counters } = device('gpu');
  t.is(counters.refused, 25, 'each frame of the last 0.5 s');
  t.is(counters.refusedEIO, 25);
  t.is(device('camera').framesOut, 50, 'nobody upstream has to wait');
  t.true(device('encoder').counters.encoded >= 44);
  t.deepEqual(exporter.left, LEFT_NOTHING);
});
