/** Drivers that write over control words: row 13 of docs/reliability.md, in whole runs. */
import { parseScenario, type RunResult, summarize } from '@dmabuf-lab/lab';
import test from 'ava';
import { runText } from './run-file.js';

/** A camera before a GPU with a display, and an encoder that comes late and asks the exporter for every buffer. */
function preview(events: string, { seed = 1, runtime = 'virtual', mapping = 'per-job' } = {}): string {
  return `
name: wild-writes
duration: 1s
seed: ${seed}
runtime: ${runtime}
pace: real
payload: stamp
debug: { history: true }
memory: { windows: [{ name: dram, base: 0x4000_0000, size: 256MiB }] }
heaps:
  - { name: system, kind: system, window: dram }
  - { name: cma, kind: cma, window: dram, base: 0x4800_0000, size: 16MiB }
devices:
  camera: { driver: camera, parameters: { width: 64, height: 64, rate: 60 }, mapping: ${mapping} }
  gpu: { driver: gpu, parameters: { service: 6ms }, mapping: ${mapping} }
  display: { driver: display, parameters: { refresh: 60 } }
  encoder: { driver: encoder, constraints: { contiguous: true }, parameters: { service: 2ms } }
pools:
  camera.out: { buffers: 4 }
  gpu.out: { buffers: 3 }
links:
  - { from: camera.out, to: gpu.in, policy: drop-oldest, depth: 2 }
  - { from: gpu.out, to: display.in, policy: drop-oldest, depth: 2 }
  - { from: camera.out, to: encoder.in, depth: 2, policy: drop-oldest }
timeline: [${events}]
`;
}

const EVENTS = (device: string): string =>
  `{ at: 300ms, corrupt: ${device}, what: words }, { at: 500ms, attach: encoder }, { at: 800ms, detach: encoder }`;
const checksFailed = ({ devices }: RunResult): number =>
  Object.values(devices).reduce((sum, { counters }) => sum + (counters.checksFailed ?? 0), 0);

for (const mapping of ['per-job', 'held']) {
  test(`corrupt words, ${mapping}: found at the next operation, one buffer is given up, the others go on`, async (t) => {
    let refused = 0;
    const places = new Set<string>();
    for (const device of ['camera', 'gpu', 'display']) {
      for (let seed = 1; seed <= 4; seed += 1) {
        const which = `${device}, seed ${seed}`;
        const { result } = await runText(preview(EVENTS(device), { seed, mapping }));
        t.is(result.devices[device].counters.wildWrites, 1, which);
        t.is(result.corruptions?.length, 1, which);
        const [{ what, buffer, seenNs }] = result.corruptions ?? [];
        t.regex(what, /^(buffer slot \d+|attachment slot \d+ of \w+): its guard word 1[45] holds 0x/, which);
        places.add(what.split(' ')[0]);
        t.true(seenNs >= 300_000_000, which);
        // A buffer of the camera is looked at when the encoder comes; one of the GPU's at its last detach.
        if (buffer?.startsWith('camera') === true) t.true(seenNs < 600_000_000, `${which}: ${seenNs}`);
        const counters = Object.values(result.devices).map((one) => one.counters.refusedEIO ?? 0);
        refused += counters.reduce((sum, count) => sum + count, 0);
        t.true(result.devices.display.counters.shown >= 40, `${which}: ${result.devices.display.counters.shown}`);
        t.true(result.devices.encoder.framesIn > 5, `${which}: ${result.devices.encoder.framesIn}`);
        t.is(checksFailed(result), 0, which);
        t.true(result.ledger.empty, `${which}: ${JSON.stringify(result.ledger)}`);
        t.deepEqual(result.history?.violations, [], which);
        t.regex(summarize(result).replaceAll(/\s+/g, ' '), /Control words overwritten: \S+ was given up at/);
      }
    }
    t.true(refused > 0, 'whoever maps it is told');
    t.deepEqual([...places].sort(), ['attachment', 'buffer']);
  });
}

test('corrupt words, the same seed, writes at the same place', async (t) => {
  const [one, two] = [await runText(preview(EVENTS('gpu'))), await runText(preview(EVENTS('gpu')))];
  t.deepEqual(one.result, two.result);
});

test('corrupt words, on threads: found, and nothing is left', async (t) => {
  const { result } = await runText(preview(EVENTS('camera'), { runtime: 'threads' }));
  t.is(result.devices.camera.counters.wildWrites, 1);
  t.is(result.corruptions?.length, 1);
  t.regex(result.corruptions?.[0].what ?? '', /slot \d+/);
  t.true(result.devices.display.counters.shown > 0);
  t.true(result.ledger.empty);
});

test('corrupt, a number of messages for words, is refused before anything starts', (t) => {
  const text = preview('{ at: 300ms, corrupt: gpu, what: words, messages: 2 }');
  t.throws(() => parseScenario(text, 'test.yaml'), { message: /messages goes with what: messages/ });
});

/** A preview whose exporter and devices come back. */
const supervised = (events: string, seed: number): string =>
  preview(events, { seed }).replace('timeline:', 'supervision: { restart: one-for-one, backoff: 1ms }\ntimeline:');

for (const [when, atMs] of [
  ['before anybody has looked', 310],
  ['when it has been found', 600],
] as const) {
  test(`corrupt words, and the exporter dies ${when}: its next life knows`, async (t) => {
    for (const device of ['camera', 'gpu', 'display']) {
      for (let seed = 1; seed <= 2; seed += 1) {
        const which = `${device}, seed ${seed}`;
        const events = `{ at: 300ms, corrupt: ${device}, what: words }, { at: 500ms, attach: encoder }`;
        const { result } = await runText(supervised(`${events}, { at: ${atMs}ms, kill: exporter }`, seed));
        t.is(result.corruptions?.length, 1, which);
        t.regex(result.corruptions?.[0].what ?? '', /its guard word 1[45] holds 0x/, which);
        t.is(checksFailed(result), 0, which);
        t.true(result.ledger.empty, `${which}: ${JSON.stringify(result.ledger)}`);
        t.deepEqual(result.history?.violations, [], which);
      }
    }
  });
}

test('corrupt words, and whose attachment it was dies: found when it is reclaimed', async (t) => {
  for (let seed = 1; seed <= 8; seed += 1) {
    const events = '{ at: 300ms, corrupt: gpu, what: words }, { at: 301ms, kill: gpu }';
    const { result } = await runText(supervised(events, seed));
    t.is(result.corruptions?.length, 1, `seed ${seed}`);
    t.true(result.ledger.empty, `seed ${seed}: ${JSON.stringify(result.ledger)}`);
  }
});
