/** Drivers that write over the control words of frames, pools, rings and queues: row 13 of docs/reliability.md, in whole runs. */
import { ActorError } from '@dmabuf-lab/core/runtime';
import { parseScenario, type RunResult, summarize } from '@dmabuf-lab/lab';
import test, { type ExecutionContext } from 'ava';
import { ATTACH, DETACH, type LateEncoder, lateEncoder } from './late-encoder.js';
import { runText } from './run-file.js';

interface Written extends Pick<LateEncoder, 'seed' | 'runtime' | 'supervision'> {
  readonly of: string;
  readonly device: string;
  readonly more?: readonly string[];
}

const preview = ({ of, device, more = [], ...said }: Written): string =>
  lateEncoder({
    name: 'wild-rows',
    ...said,
    events: [`{ at: 300ms, corrupt: ${device}, what: words, of: ${of} }`, ATTACH, DETACH, ...more],
  });

const sum = ({ devices }: RunResult, counter: string): number =>
  Object.values(devices).reduce((total, { counters }) => total + (counters[counter] ?? 0), 0);

/** What holds whatever was overwritten: named once, soon, and nothing is wrong or left. */
function checkFound(t: ExecutionContext, result: RunResult, which: string): void {
  t.is(sum(result, 'wildWrites'), 1, which);
  t.is(result.corruptions?.length, 1, which);
  const [{ what, seenNs }] = result.corruptions ?? [];
  t.regex(what, /^(frame|pool|ring|queue) row \d+: its guard word (14|15|46|47) holds 0x/, which);
  t.true(seenNs >= 300_000_000 && seenNs <= 340_000_000, `${which}: ${seenNs}`);
  t.is(sum(result, 'checksFailed'), 0, which);
  t.true(result.ledger.empty, `${which}: ${JSON.stringify(result.ledger)}`);
  t.deepEqual(result.history?.violations, [], which);
  t.regex(
    summarize(result).replaceAll(/\s+/g, ' '),
    /Control words overwritten: .* (given up|ended|served all the same) at/,
  );
}

async function runAll(t: ExecutionContext, of: string, seeds: number): Promise<RunResult[]> {
  const results: RunResult[] = [];
  for (const device of ['camera', 'gpu', 'display']) {
    for (let seed = 1; seed <= seeds; seed += 1) {
      const { result } = await runText(preview({ of, device, seed }));
      checkFound(t, result, `${of} of ${device}, seed ${seed}`);
      results.push(result);
    }
  }
  return results;
}

test('corrupt queues: named, and everybody is served all the same', async (t) => {
  for (const result of await runAll(t, 'queues', 2)) {
    t.regex(result.corruptions?.[0].queue ?? '', /^(camera|gpu)\.out\[\d\]$/);
    t.is(result.devices.display.counters.shown, 60);
    t.is(result.devices.encoder.counters.encoded, 18);
  }
});

test('corrupt frames: that frame is lost to its pool, with what was in it, and the others go on', async (t) => {
  let lost = 0;
  for (const result of await runAll(t, 'frames', 4)) {
    const { frame, pool } = result.corruptions?.[0] ?? {};
    t.true(pool === 'camera.out' || pool === 'gpu.out');
    t.true(frame !== undefined && frame < 4);
    t.true(result.devices.display.counters.shown >= 55, `${result.devices.display.counters.shown}`);
    t.true(result.devices.encoder.counters.encoded >= 16);
    lost += 60 - result.devices.display.counters.shown;
  }
  t.true(lost > 0, 'some frame was in use');
});

test('corrupt rings: that link ends, for its producer and its consumer, and nobody waits for the other', async (t) => {
  const links = new Set<string>();
  for (const result of await runAll(t, 'rings', 3)) {
    const { from, to } = result.corruptions?.[0].link ?? {};
    links.add(`${from} ${to}`);
    const consumer = to?.split('.')[0] ?? '';
    t.is(result.devices[consumer].counters.endedEIO, 1, to);
    t.is(sum(result, 'endedEIO'), 1);
    t.is(result.devices.camera.framesOut, 60, 'nobody upstream has to wait');
    if (to !== 'encoder.in') t.is(result.devices.encoder.counters.encoded, 18, to);
    if (to === 'encoder.in') t.is(result.devices.display.counters.shown, 60, to);
    else t.true(result.devices.display.counters.shown <= 20, to);
  }
  t.is(links.size, 3);
});

test('corrupt pools: their owner is refused with EIO, and the devices after it end with what there was', async (t) => {
  const { result } = await runText(preview({ of: 'pools', device: 'camera' }));
  checkFound(t, result, 'pool of the camera');
  t.is(result.corruptions?.[0].pool, 'camera.out');
  t.is(result.devices.camera.counters.refusedEIO, 42, 'each tick of the last 0.7 s');
  t.is(result.devices.display.counters.shown, 18);
});

test('corrupt pools, of a driver that does not expect EIO: the run ends with it, and says what was overwritten', async (t) => {
  const error = await t.throwsAsync(runText(preview({ of: 'pools', device: 'display' })), { instanceOf: ActorError });
  t.is(error?.actor, 'gpu');
  t.like(error?.cause, { code: 'EIO' });
  const { damages } = error as ActorError & { readonly damages?: string };
  t.regex(
    damages ?? '',
    /^Control words overwritten: pool gpu\.out was given up: pool row 1: its guard word 1[45] holds/,
  );
});

test('corrupt rows, and either end of a ring dies and comes back: nothing is left, nobody waits', async (t) => {
  const supervision = '{ restart: one-for-one, restarts: 5, backoff: 1ms }';
  for (const of of ['rings', 'frames', 'queues']) {
    for (const dead of ['camera', 'gpu', 'display', 'exporter']) {
      const more = [`{ at: 310ms, kill: ${dead} }`, `{ at: 600ms, kill: ${dead} }`];
      const { result } = await runText(preview({ of, device: 'gpu', supervision, more }));
      const which = `${of}, ${dead} dies`;
      t.is(result.corruptions?.length, 1, which);
      t.is(sum(result, 'checksFailed'), 0, which);
      t.true(result.ledger.empty, `${which}: ${JSON.stringify(result.ledger)}`);
      t.deepEqual(result.history?.violations, [], which);
    }
  }
});

test('corrupt rows, on threads: found at a beat or at the end, and nothing is left', async (t) => {
  for (const of of ['frames', 'rings']) {
    const { result } = await runText(preview({ of, device: 'gpu', runtime: 'threads' }));
    t.is(sum(result, 'wildWrites'), 1, of);
    t.is(result.corruptions?.length, 1, of);
    t.true(result.ledger.empty, `${of}: ${JSON.stringify(result.ledger)}`);
  }
});

test('corrupt rows, the same seed, writes at the same place', async (t) => {
  const [one, two] = [0, 1].map(() => runText(preview({ of: 'frames', device: 'gpu' })));
  t.deepEqual((await one).result, (await two).result);
});

test('guards, whoever takes the first step, are no reason not to attach: ties by seed', async (t) => {
  for (let seed = 1; seed <= 4; seed += 1) {
    const text = preview({ of: 'queues', device: 'camera', seed }).replace(/ {2}- \{ at: 300ms.*\n/, '');
    const { result } = await runText(text, { overrides: { ties: 'seed' } });
    t.is(result.corruptions, undefined);
    t.true(result.devices.display.counters.shown >= 30, `seed ${seed}: ${result.devices.display.counters.shown}`);
  }
});

test('corrupt, of a table with messages, or of one that is none, is refused before anything starts', (t) => {
  const text = preview({ of: 'rings', device: 'gpu' });
  t.throws(() => parseScenario(text.replace('what: words, ', ''), 'test.yaml'), {
    message: /test\.yaml:\d+:\d+: .*of goes with what: words/,
  });
  t.throws(() => parseScenario(text.replace('of: rings', 'of: wires'), 'test.yaml'), {
    message: /test\.yaml:\d+:\d+: .*"rings".*got "wires"/,
  });
});
