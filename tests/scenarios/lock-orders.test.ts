/** Reservations that are locked plainly, in whole runs: orders that contradict each other are named (`debug.reservationLocks`). */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { parseScenario, type RunResult, ScenarioError } from '@dmabuf-lab/lab';
import test from 'ava';
import { run } from '../unit/lab/cli/command-line.js';
import { example, type FileRun, ROOT, runText } from './run-file.js';

interface Told {
  readonly meter?: string;
  readonly debug?: string;
  readonly timeline?: string;
}

/** Two devices that read the same two buffers; the second may be later. */
async function scenarioOf({ meter, debug = 'reservationLocks: plain', timeline = '' }: Told): Promise<string> {
  const text = await readFile(example('drivers/opposite-locks'), 'utf8');
  const own = meter === undefined ? text : text.replace('order: right-first, afterMs: 5', meter);
  return `${own.replaceAll('./', `${ROOT}examples/drivers/`).replace('reservationLocks: plain', debug)}timeline: [${timeline}]\n`;
}

const runTold = async (told: Told, options: FileRun = {}): Promise<RunResult> =>
  (await runText(await scenarioOf(told), options)).result;
const bothOf = ({ devices }: RunResult): readonly number[] => [
  devices.mixer.counters.both,
  devices.meter.counters.both,
];

const TOGETHER = 'order: right-first';
const OPPOSITE = 'meter/lane 1 -> left.out[0] -> mixer/lane 1 -> right.out[0] -> meter/lane 1';

test('two devices that lock two buffers in opposite orders and never meet, are named once, with both buffers, when the second lock is due', async (t) => {
  const result = await runTold({});
  t.deepEqual(result.incidents, [{ kind: 'lock-order', device: 'meter', atNs: 5_001_524, life: 0, why: OPPOSITE }]);
  t.deepEqual(bothOf(result), [25, 25], 'nobody has waited for the other');
  t.true(result.ledger.empty);
});

test('two devices that lock in opposite orders and do meet: everybody waits, and both the waits and the orders are named', async (t) => {
  const error = await t.throwsAsync(runTold({ meter: TOGETHER }), { code: 'EDEADLK' });
  const waits = 'mixer/lane 1 -> a reservation lock -> meter/lane 1 -> a reservation lock -> mixer/lane 1';
  t.true(error.message.includes(`deadlock: ${waits}; lock order: ${OPPOSITE}`), error.message);
});

test('two devices that wait for each other with plain locks, go on when one is killed, whose locks are taken back', async (t) => {
  const result = await runTold({ meter: TOGETHER, timeline: '{ at: 200ms, kill: meter }' });
  t.deepEqual(
    result.incidents.map(({ kind, device }) => [kind, device]),
    [
      ['deadlock', 'mixer'],
      ['lock-order', 'meter'],
      ['died', 'meter'],
      ['reclaimed', 'meter'],
    ],
  );
  t.true(bothOf(result)[0] > 10, 'the other goes on');
  t.true(result.ledger.empty);
});

test('the same in the default mode, where whoever is younger backs off, is no incident', async (t) => {
  for (const ties of ['fifo', 'seed'] as const) {
    const result = await runTold({ meter: TOGETHER, debug: 'reservationLocks: ww' }, { overrides: { ties } });
    t.deepEqual([result.incidents, bothOf(result)], [[], [25, 25]]);
    t.deepEqual(
      result,
      await runTold({ meter: TOGETHER, debug: 'history: false' }, { overrides: { ties } }),
      'the default',
    );
  }
});

test('plain locks that everybody takes in the same order, are no incident, whoever waits for whom', async (t) => {
  for (const ties of ['fifo', 'seed'] as const) {
    const result = await runTold({ meter: 'order: left-first' }, { overrides: { ties } });
    t.deepEqual([result.incidents, bothOf(result)], [[], [25, 25]]);
  }
});

/** Two devices that lock the same two buffers in opposite orders, one always after the other. */
const RELAY = `
name: relay
duration: 300ms
payload: timing
memory: { windows: [{ name: dram, base: 0x4000_0000, size: 64MiB }] }
heaps: [{ name: system, kind: system, window: dram }]
devices:
  left: { driver: camera, parameters: { width: 64, height: 64, rate: 50 } }
  right: { driver: camera, parameters: { width: 64, height: 64, rate: 50 } }
  mixer: { driver: ${JSON.stringify(fileURLToPath(new URL('./drivers/relay-locks.js', import.meta.url)))} }
  meter: { driver: ${JSON.stringify(fileURLToPath(new URL('./drivers/relay-locks.js', import.meta.url)))} }
pools: { left.out: { buffers: 1 }, right.out: { buffers: 1 } }
links:
  - { from: left.out, to: mixer.left }
  - { from: right.out, to: mixer.right }
  - { from: mixer.a, to: meter.left }
  - { from: mixer.b, to: meter.right }
debug: { reservationLocks: plain }
`;

for (const runtime of ['virtual', 'threads'] as const) {
  test(`opposite orders of devices that come one after the other, ${runtime}, are named: locks of several actors are put together`, async (t) => {
    const { result } = await runText(RELAY, { overrides: { runtime, pace: 'max' } });
    const told = result.incidents.filter(({ kind }) => kind === 'lock-order');
    t.deepEqual(
      told.map(({ device, why }) => [device, why]),
      [['meter', OPPOSITE]],
    );
  });
}

/** One device that locks two buffers in one order until 195 ms, and then in the other. */
const TURNING = RELAY.replace(/ {2}mixer: .*\n {2}meter: .*\n/, '  mixer: { driver: TURNING }\n')
  .replace('TURNING', JSON.stringify(fileURLToPath(new URL('./drivers/turning-locks.js', import.meta.url))))
  .replace(/ {2}- \{ from: mixer.*\n/g, '')
  .concat('supervision: { restart: one-for-one, restarts: 5, backoff: 1ms }\n');

test('an order that turns round, is named; not so when its buffers have gone meanwhile, and others have their names', async (t) => {
  const lockOrders = ({ incidents }: RunResult): unknown[] => incidents.filter(({ kind }) => kind === 'lock-order');
  const same = (await runText(TURNING)).result;
  t.is(lockOrders(same).length, 1);
  for (const dead of [['left'], ['left', 'right']]) {
    const kills = dead.map((device) => `{ at: 190ms, kill: ${device} }`);
    const { result } = await runText(`${TURNING}timeline: [${kills}]\n`);
    t.deepEqual(
      result.buffers.map(({ name }) => name).sort(),
      ['left.out[0]', 'right.out[0]', ...dead.map((device) => `${device}.out[0]`)].sort(),
      'other buffers by the same names',
    );
    t.true(result.devices.mixer.counters.straight > 5 && result.devices.mixer.counters.turned > 3);
    t.deepEqual(lockOrders(result), []);
  }
});

test('run: orders of locks that contradict each other, are told, and it ends with 1', async (t) => {
  const { code, stdout } = await run(ROOT, ['run', 'examples/drivers/opposite-locks.yaml']);
  t.is(code, 1);
  t.regex(stdout, /0\.005 s: lock order: meter\/lane 1 -> left\.out\[0\] -> mixer\/lane 1 -> right\.out\[0\] -> meter/);
});

test('a mode of locks that is none, is refused with its place and what was expected', async (t) => {
  const text = await scenarioOf({ debug: 'reservationLocks: plan' });
  const error = t.throws(() => parseScenario(text, 'locks.yaml'), { instanceOf: ScenarioError });
  t.regex(
    error?.message ?? '',
    /locks\.yaml:\d+:10: debug\.reservationLocks: expected one of "ww", "plain".*got "plan"/,
  );
});
