/** Drivers that write over control words: row 13 of docs/reliability.md, in whole runs. */
import { parseScenario, type RunResult, summarize } from '@dmabuf-lab/lab';
import test from 'ava';
import { ATTACH, DETACH, type LateEncoder, lateEncoder } from './late-encoder.js';
import { runText } from './run-file.js';

const preview = (events: readonly string[], said: Partial<LateEncoder> = {}): string =>
  lateEncoder({ name: 'wild-writes', displayPolicy: 'drop-oldest', ...said, events });

const corrupt = (device: string): string => `{ at: 300ms, corrupt: ${device}, what: words }`;
const EVENTS = (device: string): readonly string[] => [corrupt(device), ATTACH, DETACH];
const checksFailed = ({ devices }: RunResult): number =>
  Object.values(devices).reduce((sum, { counters }) => sum + (counters.checksFailed ?? 0), 0);

for (const mapping of ['per-job', 'held'] as const) {
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
  const text = preview(['{ at: 300ms, corrupt: gpu, what: words, messages: 2 }']);
  t.throws(() => parseScenario(text, 'test.yaml'), { message: /messages goes with what: messages/ });
});

/** A preview whose exporter and devices come back. */
const supervised = (events: readonly string[], seed: number): string =>
  preview(events, { seed, supervision: '{ restart: one-for-one, backoff: 1ms }' });

for (const [when, atMs] of [
  ['before anybody has looked', 310],
  ['when it has been found', 600],
] as const) {
  test(`corrupt words, and the exporter dies ${when}: its next life knows`, async (t) => {
    for (const device of ['camera', 'gpu', 'display']) {
      for (let seed = 1; seed <= 2; seed += 1) {
        const which = `${device}, seed ${seed}`;
        const events = [corrupt(device), ATTACH, `{ at: ${atMs}ms, kill: exporter }`];
        const { result } = await runText(supervised(events, seed));
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
    const { result } = await runText(supervised([corrupt('gpu'), '{ at: 301ms, kill: gpu }'], seed));
    t.is(result.corruptions?.length, 1, `seed ${seed}`);
    t.true(result.ledger.empty, `seed ${seed}: ${JSON.stringify(result.ledger)}`);
  }
});
