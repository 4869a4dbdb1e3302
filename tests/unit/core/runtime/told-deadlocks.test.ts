/** A deadlock is told of once: as long as the same generators wait for the same words, whatever a single look sees of them. */
import { type ActorId, TimePark, WordPark } from '@dmabuf-lab/core/base';
import { type BeatenWorker, type ParkRow, ThreadDeadlocks, VirtualRuntime } from '@dmabuf-lab/core/runtime';
import test from 'ava';
import { CAMERA, crossed, GPU } from './park-desk.js';
import { scriptedSpec, waitsByNumber } from './scripted-run.js';

interface Living {
  life: number;
  isServing: boolean;
  isDead: boolean;
}

/** Two actors that wait for each other, and looks at them. */
function watched() {
  const { desk, one, two, park } = crossed();
  const lives = new Map<ActorId, Living>([CAMERA, GPU].map((id) => [id, { life: 0, isServing: false, isDead: false }]));
  const worker = (id: ActorId, living: Living): BeatenWorker => ({
    spec: { name: `actor ${id}`, id, module: '', calls: [], data: undefined },
    name: `actor ${id}`,
    ...living,
    ending: undefined,
    isReady: true,
    posted: desk.posted.get(id) ?? 0,
    texts: desk.texts.get(id) ?? new Map(),
  });
  const workers = () => [...lives].map(([id, living]) => worker(id, living));
  const owners = { ownersOf: ({ word }: WordPark) => desk.ownersOf(word) };
  const deadlocks = new ThreadDeadlocks(
    desk.words,
    desk.memory,
    owners,
    workers().map(({ spec }) => spec),
  );
  /** How often a deadlock is told of in so many beats. */
  const told = (beats = 3): number => {
    let count = 0;
    for (let i = 0; i < beats; i += 1) count += deadlocks.beat(workers(), 0).incidents.length;
    return count;
  };
  const living = (id: ActorId): Living => lives.get(id) as Living;
  return { desk, one, two, park, deadlocks, living, told, specOf: (id: ActorId) => worker(id, living(id)).spec };
}

/** It is woken for nothing, and waits again. */
function wakeForNothing(row: ParkRow, park: WordPark): void {
  row.run();
  row.park(park, false);
}

test('ThreadDeadlocks.beat, a deadlock whose member is woken for nothing between two looks, is told of once', (t) => {
  const { one, park, told } = watched();
  t.is(told(2), 1);
  for (let i = 0; i < 3; i += 1) {
    wakeForNothing(one, park);
    t.is(told(), 0);
  }
});

test('ThreadDeadlocks.beat, a member that is looked at while it runs, or while a message is before it, has not left', (t) => {
  const { desk, one, park, told } = watched();
  t.is(told(2), 1);
  one.run();
  t.is(told(), 0);
  one.park(park, false);
  t.is(told(), 0);
  desk.posted.set(CAMERA, 1);
  t.is(told(), 0);
  desk.posted.set(CAMERA, 0);
  t.is(told(), 0);
});

test('ThreadDeadlocks.beat, a word that has changed while the cycle stands, makes no other deadlock of it', (t) => {
  const { desk, one, park, told } = watched();
  t.is(told(2), 1);
  desk.words.store(park.word, 3);
  t.is(told(), 0);
  wakeForNothing(one, new WordPark(park.word, 3, park.what));
  t.is(told(), 0);
});

test('ThreadDeadlocks.beat, the cycle would be told from another actor on: it is the same', (t) => {
  const { living, told } = watched();
  t.is(told(2), 1);
  living(CAMERA).isServing = true;
  t.is(told(), 0);
});

test('ThreadDeadlocks.beat, a member that has waited for something else and is back, is told of again', (t) => {
  const { desk, one, park, told } = watched();
  t.is(told(2), 1);
  for (const other of [desk.waitFor(GPU), new TimePark(1, 'a tick')]) {
    one.run();
    one.park(other, false);
    t.is(told(1), 0);
    wakeForNothing(one, park);
    t.is(told(1), 0, 'one look is not enough');
    t.is(told(), 1);
  }
});

test('ThreadDeadlocks.beat, the next life of a member in the same deadlock, is told of', (t) => {
  const { desk, park, deadlocks, living, specOf, told } = watched();
  t.is(told(2), 1);
  living(CAMERA).isDead = true;
  t.is(told(), 0);
  deadlocks.reset(specOf(CAMERA));
  Object.assign(living(CAMERA), { isDead: false, life: 1 });
  desk.rows(CAMERA).begin('main').park(park, false);
  t.is(told(), 1);
});

test('VirtualRuntime, a member of a deadlock that is paused while somebody looks, has not left it', async (t) => {
  const sleeper = [{ do: 'sleep', untilNs: 800 } as const];
  const actors = {
    one: [{ do: 'wait', word: 2, until: 1, timeoutNs: 900 } as const, { do: 'set', word: 1, value: 1 } as const],
    two: [{ do: 'wait', word: 1, until: 1 } as const],
    ...{ before: sleeper, meanwhile: sleeper, after: sleeper },
  };
  // Before each death somebody looks.
  const faults = [
    { kind: 'kill', actor: 'before', atNs: 100 },
    { kind: 'pause', actor: 'two', atNs: 200, forNs: 200 },
    { kind: 'kill', actor: 'meanwhile', atNs: 300 },
    { kind: 'kill', actor: 'after', atNs: 500 },
  ] as const;
  const spec = { ...scriptedSpec(actors), waits: waitsByNumber, faults };
  const { incidents } = await new VirtualRuntime(spec, { ties: 'fifo' }).run();
  t.deepEqual(
    incidents.filter(({ kind }) => kind === 'died' || kind === 'deadlock').map(({ kind, actor }) => [kind, actor]),
    [
      ['deadlock', 'one'],
      ['died', 'before'],
      ['died', 'meanwhile'],
      ['died', 'after'],
    ],
  );
});
