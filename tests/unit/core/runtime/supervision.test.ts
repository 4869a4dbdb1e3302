/** Deaths, silences and restarts of scripted actors, in both runtimes. */
import { actorId } from '@dmabuf-lab/core/base';
import {
  type Fault,
  type Incident,
  type RunReport,
  type RunSpec,
  RuntimeWords,
  type Supervision,
  ThreadsRuntime,
  VirtualRuntime,
} from '@dmabuf-lab/core/runtime';
import test from 'ava';
import type { Step } from './programs/scripted.js';
import { logs, scriptedSpec } from './scripted-run.js';

const MS = 1_000_000;
const RESTART = { strategy: 'one-for-one', restarts: 10, withinNs: 1e9, backoffNs: 0, maxBackoffNs: 0 } as const;

type Actors = Readonly<Record<string, readonly Step[]>>;
interface Options {
  readonly faults?: readonly Fault[];
  readonly supervision?: Partial<Supervision>;
}

function specOf(actors: Actors, { faults = [], supervision = {} }: Options): RunSpec {
  return { ...scriptedSpec(actors), faults, supervision: { lateNs: 100 * MS, hungNs: 300 * MS, ...supervision } };
}
const virtual = (actors: Actors, options: Options): Promise<RunReport> =>
  new VirtualRuntime(specOf(actors, options), { ties: 'fifo' }).run();
/** Here lateness depends on the machine, so nobody is late or hung unless the test says so. */
const threads = (actors: Actors, { faults, supervision }: Options): Promise<RunReport> => {
  const patient = { lateNs: 600e9, hungNs: 600e9, ...supervision };
  return new ThreadsRuntime(specOf(actors, { faults, supervision: patient }), { pace: 'real' }).run();
};
const told = (report: RunReport): string[] =>
  report.incidents.map(({ kind, actor, atNs, life }) => `${atNs / MS} ${actor}/${life} ${kind}`);
const kinds = (incidents: readonly Incident[]): string[] => incidents.map(({ kind, actor }) => `${actor} ${kind}`);

const sleep = (ms: number): Step => ({ do: 'sleep', untilNs: ms * MS });
const log = (text: string): Step => ({ do: 'log', text });

test('supervision, an actor that is killed, is reclaimed and restarted after the back-off, and works again', async (t) => {
  const report = await virtual(
    { a: [sleep(50), log('done')], b: [sleep(10), log('done')] },
    {
      faults: [{ kind: 'kill', actor: 'a', atNs: 20 * MS }],
      supervision: { restart: { ...RESTART, backoffNs: 5 * MS, maxBackoffNs: 9e9 } },
    },
  );
  t.deepEqual(told(report), ['20 a/0 died', '20 a/0 reclaimed', '25 a/1 restarted']);
  t.deepEqual(logs(report).a, [`${50 * MS} a done`]);
});

test('supervision, without a restart strategy, leaves the dead dead and the others go on', async (t) => {
  const report = await virtual(
    { a: [sleep(50), log('done')], b: [sleep(90), log('done')] },
    { faults: [{ kind: 'kill', actor: 'a', atNs: 20 * MS }] },
  );
  t.deepEqual(told(report), ['20 a/0 died', '20 a/0 reclaimed']);
  t.is(logs(report).a, undefined as never);
  t.deepEqual(logs(report).b, [`${90 * MS} b done`]);
});

test('supervision, an actor that throws, is a death where there is a strategy, with what it threw', async (t) => {
  const report = await virtual(
    { a: [sleep(5), { do: 'draw', stream: 's' }, { do: 'throw', message: 'no such shader' }], b: [sleep(10)] },
    { supervision: { restart: { ...RESTART, restarts: 3 } } },
  ).catch((error: unknown) => error as Error);
  t.like(report, { code: 'EOWNERDEAD', details: { actor: 'a' } });
  t.regex(
    (report as Error).message,
    /gives up: a has died, and 4 restarts within 1 s are more than 3; the last time: no such shader/,
  );
});

test('supervision, an actor that is paused, is reported late, is left alone, and loses nothing', async (t) => {
  const report = await virtual(
    {
      slow: [{ do: 'wait', word: 1, until: 1 }, log('saw 1'), { do: 'wait', word: 2, until: 1 }, log('saw 2')],
      busy: [sleep(20), { do: 'set', word: 1, value: 1 }, sleep(30), { do: 'set', word: 2, value: 1 }],
    },
    { faults: [{ kind: 'pause', actor: 'slow', atNs: 10 * MS, forNs: 200 * MS }] },
  );
  t.deepEqual(told(report), ['110 slow/0 late']);
  t.deepEqual(logs(report).slow, [`${210 * MS} slow saw 1`, `${210 * MS} slow saw 2`]);
});

test('supervision, an actor that hangs, is late at one time, ended at the other exactly, and then dead', async (t) => {
  const report = await virtual(
    { a: [sleep(20), log('never in its first life')], b: [sleep(900)] },
    { faults: [{ kind: 'hang', actor: 'a', atNs: 10 * MS }], supervision: { restart: RESTART } },
  );
  t.deepEqual(told(report), ['110 a/0 late', '310 a/0 died', '310 a/0 reclaimed', '310 a/1 restarted']);
  t.is(report.incidents[1].cause, 'hung');
});

test('supervision, two pauses that overlap, are one silence', async (t) => {
  const pause = (atMs: number): Fault => ({ kind: 'pause', actor: 'a', atNs: atMs * MS, forNs: 200 * MS });
  const report = await virtual({ a: [sleep(500)], b: [sleep(900)] }, { faults: [pause(10), pause(150)] });
  t.deepEqual(told(report), ['110 a/0 late', '310 a/0 died', '310 a/0 reclaimed'], 'silent for 340 ms in all');
});

test('supervision, a call that is being served when its server dies, is rejected at once, and a later one too', async (t) => {
  const report = await virtual(
    {
      client: [
        { do: 'call', peer: 'server', method: 'never', args: {} },
        { do: 'call', peer: 'server', method: 'never', args: {} },
      ],
      server: [{ do: 'serve', method: 'never', answer: 'never' }, { do: 'serve others' }],
    },
    { faults: [{ kind: 'kill', actor: 'server', atNs: 7 * MS }] },
  );
  t.deepEqual(logs(report).client, [
    `${7 * MS} client failed ENODEV -19 {"peer":"server"}`,
    `${7 * MS} client failed ENODEV -19 {"peer":"server"}`,
  ]);
});

test('supervision, one-for-all, stops the others in reverse start order and starts all in order', async (t) => {
  const report = await virtual(
    { a: [sleep(90)], b: [sleep(90)], c: [sleep(90)] },
    {
      faults: [{ kind: 'kill', actor: 'b', atNs: 20 * MS }],
      supervision: { restart: { ...RESTART, strategy: 'one-for-all' } },
    },
  );
  t.deepEqual(kinds(report.incidents), [
    'b died',
    'c died',
    'c reclaimed',
    'a died',
    'a reclaimed',
    'b reclaimed',
    'a restarted',
    'b restarted',
    'c restarted',
  ]);
});

test('supervision, a restart by an event, of a living and of a dead actor', async (t) => {
  const report = await virtual(
    { a: [sleep(10), log('woke'), sleep(100)], b: [sleep(100)] },
    {
      faults: [
        { kind: 'restart', actor: 'a', atNs: 20 * MS },
        { kind: 'kill', actor: 'a', atNs: 30 * MS },
        { kind: 'restart', actor: 'a', atNs: 40 * MS },
      ],
    },
  );
  t.deepEqual(told(report), [
    '20 a/0 died',
    '20 a/0 reclaimed',
    '20 a/1 restarted',
    '30 a/1 died',
    '30 a/1 reclaimed',
    '40 a/2 restarted',
  ]);
});

test('supervision, faults of an actor that has ended, do nothing', async (t) => {
  const report = await virtual(
    { a: [sleep(5)], b: [sleep(50)] },
    {
      faults: [
        { kind: 'kill', actor: 'a', atNs: 20 * MS },
        { kind: 'hang', actor: 'a', atNs: 21 * MS },
      ],
    },
  );
  t.deepEqual(report.incidents, []);
});

test('supervision on threads, a killed worker, is dead once it has exited, and comes back with a new life', async (t) => {
  const report = await threads(
    { a: [{ do: 'wait', word: 1, until: 1 }, log('done')], b: [sleep(400), { do: 'set', word: 1, value: 1 }] },
    { faults: [{ kind: 'kill', actor: 'a', atNs: 30 * MS }], supervision: { restart: RESTART } },
  );
  t.deepEqual(kinds(report.incidents), ['a died', 'a reclaimed', 'a restarted']);
  t.regex(logs(report).a.join(), /a done/);
});

test('supervision on threads, a call to a worker that is killed, is rejected and does not hang', async (t) => {
  const report = await threads(
    {
      client: [
        { do: 'call', peer: 'server', method: 'never', args: {} },
        { do: 'call', peer: 'server', method: 'never', args: {} },
      ],
      server: [{ do: 'serve', method: 'never', answer: 'never' }, { do: 'serve others' }],
    },
    { faults: [{ kind: 'kill', actor: 'server', atNs: 50 * MS }] },
  );
  t.is(logs(report).client.filter((entry) => entry.includes('failed ENODEV')).length, 2);
});

test('supervision on threads, all calls to a worker that exits, are rejected in the turn in which its exit is told', async (t) => {
  const call: Step = { do: 'call', peer: 'server', method: 'never', args: {} };
  const spawn = (name: string, ...steps: Step[]): Step => ({ do: 'spawn', name, steps });
  const report = await threads(
    {
      server: [{ do: 'serve', method: 'never', answer: 'never' }, { do: 'wait', word: 5, until: 1 }, { do: 'exit' }],
      client: [
        // Asleep on the very word that the runtime stores at `exit`; a turn of the event loop later is before any timer of then.
        spawn('watch', { do: 'wait for death', actor: 1 }, { do: 'external', turns: 1, text: 'a turn later' }, call),
        ...Array.from({ length: 20 }, (_, i) => spawn(`call ${i}`, call)),
        { do: 'external', turns: 1, text: 'all of them wait' },
        { do: 'set', word: 5, value: 1 },
      ],
    },
    { supervision: { toleratesFailures: true } },
  );
  const inOrder = withoutTime(logs(report).client).map((entry) => entry.replace('client ', ''));
  const rejected = 'failed ENODEV -19 {"peer":"server"}';
  t.deepEqual(inOrder, ['all of them wait', ...Array(20).fill(rejected), 'a turn later', rejected]);
});

test('supervision on threads, a worker that blocks for ever, is late, then ended, and dead from then on', async (t) => {
  const report = await threads(
    { hangs: [{ do: 'wait', word: 1, until: 1 }], other: [sleep(100)] },
    { faults: [{ kind: 'hang', actor: 'hangs', atNs: 20 * MS }], supervision: { lateNs: 300 * MS, hungNs: 2e9 } },
  );
  const incidents = report.incidents.filter(({ actor }) => actor === 'hangs');
  // A busy machine may have made it late once before.
  t.deepEqual([...new Set(incidents.map(({ kind }) => kind))], ['late', 'died', 'reclaimed']);
  t.is(incidents.find(({ kind }) => kind === 'died')?.cause, 'hung');
});

const CALLS = 200;
/** One that is called, and one that calls it while it is paused, and sets a word that it waits for. */
const CALLED_IN_A_PAUSE: Actors = {
  slow: [
    { do: 'serve', method: 'echo', answer: 'echo' },
    { do: 'wait', word: 2, until: 1 },
    log('saw it'),
    { do: 'serve others' },
  ],
  busy: [
    sleep(2000),
    ...Array.from({ length: CALLS }, (_, i): Step => {
      return { do: 'spawn', name: `call ${i}`, steps: [{ do: 'call', peer: 'slow', method: 'echo', args: i }] };
    }),
    { do: 'set', word: 2, value: 1 },
  ],
};
const PAUSE: Fault = { kind: 'pause', actor: 'slow', atNs: 20 * MS, forNs: 5e9 };
const ANSWERS = Array.from({ length: CALLS }, (_, i) => `busy got ${i}`).sort();
const withoutTime = (entries: readonly string[]): string[] => entries.map((entry) => entry.replace(/^\d+ /, ''));

test('supervision, all calls to an actor that is paused for five seconds, are answered when the pause is over', async (t) => {
  const report = await virtual(CALLED_IN_A_PAUSE, { faults: [PAUSE], supervision: { hungNs: 600e9 } });
  t.deepEqual(told(report), ['120 slow/0 late']);
  t.deepEqual(withoutTime(logs(report).busy).sort(), ANSWERS);
  t.deepEqual([...new Set(logs(report).busy.map((entry) => entry.split(' ')[0]))], [`${5020 * MS}`]);
});

test('supervision on threads, a worker that is paused for five seconds, is late and nothing else, and loses no call', async (t) => {
  const report = await threads(CALLED_IN_A_PAUSE, { faults: [PAUSE], supervision: { lateNs: 300 * MS } });
  const incidents = report.incidents.filter(({ actor }) => actor === 'slow');
  t.deepEqual([...new Set(incidents.map(({ kind }) => kind))], ['late']);
  t.regex(logs(report).slow.join(), /saw it/);
  t.deepEqual(withoutTime(logs(report).busy).sort(), ANSWERS);
});

test('supervision on threads, two pauses that overlap, are over when the later one ends', async (t) => {
  const pause = (atMs: number): Fault => ({ kind: 'pause', actor: 'slow', atNs: atMs * MS, forNs: 2500 * MS });
  const report = await threads(
    { slow: [sleep(100), log('back')], busy: [sleep(4500), log('later')] },
    { faults: [pause(20), pause(60)] },
  );
  const msOf = (actor: string): number => Number(logs(report)[actor][0].split(' ')[0]) / MS;
  const backMs = msOf('slow');
  t.true(backMs >= 2500, `${backMs}`);
  t.true(backMs < msOf('busy'), `added up they would last 5 s: ${backMs}`);
});

test('supervision on threads, a worker that throws or exits, is restarted up to the limit, then the run ends', async (t) => {
  const error = await t.throwsAsync(
    threads(
      { a: [{ do: 'exit' }], b: [sleep(60_000)] },
      { supervision: { restart: { ...RESTART, restarts: 2, withinNs: 60e9 } } },
    ),
  );
  t.like(error, { code: 'EOWNERDEAD', details: { actor: 'a' } });
});

/** The first is restarted once, and then one time too many; the others would go on for ever. */
const STORM: Actors = {
  a: [{ do: 'throw', message: 'no such shader' }],
  b: [{ do: 'wait', word: 1, until: 1 }],
  c: [{ do: 'wait', word: 1, until: 1 }],
  d: [{ do: 'wait', word: 1, until: 1 }],
};
const ONCE: Partial<Supervision> = { restart: { ...RESTART, restarts: 1, withinNs: 600e9 } };

test('supervision, when it gives up, stops the others in reverse start order', async (t) => {
  const runtime = new VirtualRuntime(specOf(STORM, { supervision: ONCE }), { ties: 'fifo' });
  const words = new RuntimeWords(runtime.words);
  const living = new Set(Object.keys(STORM));
  const stopped: string[] = [];
  const add = runtime.words.add.bind(runtime.words);
  runtime.words.add = (word, delta) => {
    const before = add(word, delta);
    for (const [i, name] of Object.keys(STORM).entries()) {
      if (words.deaths(actorId(i + 1)) > 0 && living.delete(name)) stopped.push(name);
    }
    return before;
  };
  const error = await t.throwsAsync(runtime.run());
  t.like(error, { code: 'EOWNERDEAD', details: { actor: 'a' } });
  t.deepEqual(stopped, ['a', 'd', 'c', 'b']);
});

test('supervision on threads, when it gives up, terminates the others in reverse start order', async (t) => {
  const patient = { lateNs: 600e9, hungNs: 600e9, ...ONCE };
  const runtime = new ThreadsRuntime(specOf(STORM, { supervision: patient }), { pace: 'real' });
  const running = runtime.run(); // it has started all workers by now
  const stopped: string[] = [];
  for (const worker of runtime.workers.values()) {
    const terminate = worker.terminate.bind(worker);
    worker.terminate = (...why) => {
      stopped.push(worker.name);
      terminate(...why);
    };
  }
  const error = await t.throwsAsync(running);
  t.like(error, { code: 'EOWNERDEAD', details: { actor: 'a' } });
  t.deepEqual(stopped.slice(0, 4), ['a', 'd', 'c', 'b']);
});
