/** Every event that does something to a device, and every strategy, in both runtimes: what is left at the end is the same. */
import type { RunResult } from '@dmabuf-lab/lab';
import test from 'ava';
import { checksFailed, DEVICES, kindsOf, preview } from './preview.js';
import { runText } from './run-file.js';

const DURATION_MS = 2000;
/** On threads nobody is late for want of a processor. */
const PATIENT = 'late: 60s, hung: 100s';

async function inBoth(lines: string, options: Parameters<typeof preview>[1] = {}): Promise<RunResult[]> {
  const text = preview(lines, { durationMs: DURATION_MS, limits: PATIENT, ...options });
  const results: RunResult[] = [];
  for (const runtime of ['virtual', 'threads'] as const) {
    results.push((await runText(text, { overrides: { runtime } })).result);
  }
  return results;
}

/** What became of some devices, one after the other; how late they were depends on the machine. */
const livesOf = (result: RunResult, devices: readonly string[]): string[] =>
  devices.flatMap((device) =>
    kindsOf(result).filter((kind) => kind.startsWith(`${device} `) && !kind.endsWith('late')),
  );
const cameBack = (...devices: readonly string[]): string[] =>
  devices.flatMap((device) => ['died', 'reclaimed', 'restarted'].map((kind) => `${device} ${kind}`));

interface Event {
  readonly event: string;
  readonly line: (device: string, atMs: number) => string;
  readonly lives: readonly string[];
  readonly limits?: string;
  readonly broken?: number;
}

const TWO = ['gpu', 'camera'] as const;
const EVENTS: readonly Event[] = [
  { event: 'kill', line: (device, at) => `{ at: ${at}ms, kill: ${device} }`, lives: cameBack(...TWO) },
  { event: 'restart', line: (device, at) => `{ at: ${at}ms, restart: ${device} }`, lives: cameBack(...TWO) },
  {
    event: 'hang',
    line: (device, at) => `{ at: ${at}ms, hang: ${device} }`,
    lives: cameBack(...TWO),
    limits: 'late: 1s, hung: 5s',
  },
  { event: 'pause', line: (device, at) => `{ at: ${at}ms, pause: ${device}, for: 300ms }`, lives: [] },
  {
    event: 'exhaust, with a restart that needs room,',
    line: (device, at) =>
      `{ at: ${at}ms, exhaust: system, for: 300ms }, { at: ${at}ms, exhaust: cma, for: 300ms }, { at: ${at + 50}ms, restart: ${device} }`,
    lives: cameBack(...TWO),
  },
  {
    event: 'corrupt: messages',
    line: (device, at) => `{ at: ${at}ms, corrupt: ${device}, messages: 7 }`,
    lives: [],
    broken: 7,
  },
];

for (const { event, line, lives, limits = PATIENT, broken } of EVENTS) {
  test.serial(
    `${event} of two devices, leaves the same ledger in both runtimes, the same lives and no bad content`,
    async (t) => {
      const results = await inBoth(`${line('gpu', 400)}, ${line('camera', 900)}`, { limits });
      for (const result of results) {
        t.true(result.ledger.empty, `${result.runtime}: ${JSON.stringify(result.ledger)}`);
        t.deepEqual(livesOf(result, TWO), lives, result.runtime);
        t.is(checksFailed(result), 0, result.runtime);
        const counts = (result.brokenMessages ?? []).map(({ device, count }) => [device, count]);
        t.deepEqual(counts, broken === undefined ? [] : TWO.map((device) => [device, broken]), result.runtime);
      }
      t.deepEqual(results[1].ledger, results[0].ledger);
    },
  );
}

for (const [restart, back] of [
  ['one-for-one', ['gpu']],
  ['one-for-all', DEVICES],
  ['rest-for-one', ['gpu', 'display', 'encoder']],
] as const) {
  test.serial(`${restart}, when the GPU is killed, has ${back.join(', ')} come back in both runtimes`, async (t) => {
    for (const result of await inBoth('{ at: 400ms, kill: gpu }', { restart })) {
      t.deepEqual(livesOf(result, DEVICES), cameBack(...DEVICES.filter((device) => back.includes(device as never))));
      t.true(result.ledger.empty, `${result.runtime}: ${JSON.stringify(result.ledger)}`);
      t.is(checksFailed(result), 0, result.runtime);
    }
  });
}
