import {
  type ActorId,
  AtomicWords,
  actorId,
  ReplyPark,
  TimePark,
  type WordIndex,
  WordPark,
  wordIndex,
} from '@dmabuf-lab/core/base';
import { DeadlockLook, PARK_ROWS, ParkRows, ParkWords, type Sight, type WaitOwner } from '@dmabuf-lab/core/runtime';
import test from 'ava';

const CAMERA = actorId(1);
const GPU = actorId(2);
const SERVER = actorId(3);

/** Words of which each is ended by one actor, and rows of three actors, as their workers would fill them. */
class Desk {
  readonly words = new AtomicWords(new SharedArrayBuffer(64));
  readonly parks = new ParkWords(new AtomicWords(new SharedArrayBuffer(ParkWords.sizeBytes(3))));
  readonly posted = new Map<ActorId, number>();
  readonly owners = new Map<WordIndex, WaitOwner>();
  readonly #texts = new Map<ActorId, Map<number, string>>();
  look = new DeadlockLook(this.words, this.parks, { ownersOf: ({ word }) => this.ownersOf(word) });

  ownersOf(word: WordIndex): WaitOwner[] {
    const owner = this.owners.get(word);
    return owner === undefined ? [] : [owner];
  }

  rows(actor: ActorId): ParkRows {
    const texts = new Map<number, string>();
    this.#texts.set(actor, texts);
    return new ParkRows(this.parks, actor, (number, text) => texts.set(number, text));
  }

  /** A wait for a word that an actor ends. */
  waitFor(owner: ActorId, untilNs?: number, generator?: number): WordPark {
    const word = wordIndex(this.owners.size);
    this.owners.set(word, { actor: owner, ...(generator !== undefined && { generator }) });
    return new WordPark(word, 0, `a word of ${owner}`, untilNs);
  }

  see(nowNs = 0): Sight {
    const actors = [CAMERA, GPU, SERVER].map((id) => ({
      id,
      name: `actor ${id}`,
      posted: this.posted.get(id) ?? 0,
      isCalled: id === SERVER,
      text: (number: number) => this.#texts.get(id)?.get(number),
    }));
    return this.look.look(actors, nowNs);
  }

  texts(nowNs?: number): string[] {
    return this.see(nowNs).deadlocks.map(({ text }) => text);
  }
}

const CYCLE = 'actor 1 -> a word of 2 -> actor 2/lane 1 -> a word of 1 -> actor 1';

/** Two that wait for each other. */
function crossed(untilNs?: number) {
  const desk = new Desk();
  const camera = desk.rows(CAMERA);
  const gpu = desk.rows(GPU);
  const one = camera.begin('main');
  const two = gpu.begin('lane 1');
  const park = desk.waitFor(GPU, untilNs);
  one.park(park, false);
  two.park(desk.waitFor(CAMERA), false);
  return { desk, camera, gpu, one, two, park };
}

test('DeadlockLook, two actors that wait for a word of each other, are in a deadlock', (t) => {
  const { desk } = crossed();
  t.deepEqual(desk.texts(), [CYCLE]);
  t.true(desk.see().isWhole);
});

test('DeadlockLook, one of them runs again, has ended or its word has changed: there is no deadlock', (t) => {
  const running = crossed();
  running.one.run();
  t.deepEqual(running.desk.texts(), []);
  const ended = crossed();
  ended.one.run();
  ended.one.end();
  t.deepEqual(ended.desk.texts(), []);
  const woken = crossed();
  woken.desk.words.store(woken.park.word, 1);
  t.deepEqual(woken.desk.texts(), []);
});

test('DeadlockLook, another generator of an awaited actor runs, sleeps or has no row: there is no deadlock', (t) => {
  for (const state of ['runs', 'sleeps', 'has no row'] as const) {
    const { desk, camera } = crossed();
    if (state === 'has no row')
      for (let i = 1; i < PARK_ROWS; i += 1) camera.begin(`lane ${i}`).park(desk.waitFor(GPU), false);
    else if (state === 'sleeps') camera.begin('tick').park(new TimePark(1, 'a tick'), false);
    if (state !== 'sleeps') camera.begin('another');
    t.deepEqual(desk.texts(), [], state);
  }
});

test('DeadlockLook, one without a row that has ended again, counts no more', (t) => {
  const { desk, camera } = crossed();
  const others = Array.from({ length: PARK_ROWS }, () => camera.begin('other'));
  t.deepEqual(desk.texts(), []);
  for (const other of others) other.end();
  t.deepEqual(desk.texts(), [CYCLE]);
});

test('DeadlockLook, a wait with a time-out, counts until that is due; one that passes at once never', (t) => {
  const { desk, one, park } = crossed(5_000_000);
  t.deepEqual(desk.texts(4_999_999), [CYCLE]);
  t.deepEqual(desk.texts(5_000_000), []);
  one.park(park, true);
  t.deepEqual(desk.texts(0), []);
});

test('DeadlockLook, an actor with a message of the runtime before it, can go on', (t) => {
  const { desk, camera } = crossed();
  desk.posted.set(CAMERA, 1);
  t.deepEqual(desk.texts(), []);
  t.false(desk.see().isWhole);
  camera.received();
  t.deepEqual(desk.texts(), [CYCLE]);
});

test('DeadlockLook, a generator that failed and serves nobody, counts as running; one that serves a call has answered', (t) => {
  const { desk, camera } = crossed();
  const other = camera.begin('lane 2');
  other.fail();
  t.deepEqual(desk.texts(), []);
  t.is(desk.see().tasks.length, 3);
  const server = desk.rows(SERVER).begin('map for actor 1', 7);
  server.fail();
  t.is(desk.see().tasks.length, 3);
});

/** The camera calls the server, which waits for the camera. */
function calling() {
  const desk = new Desk();
  const one = desk.rows(CAMERA).begin('main');
  const rows = desk.rows(SERVER);
  const call = one.park(new ReplyPark(() => {}, 'map of actor 3'), false);
  const serve = (number: number) => {
    const server = rows.begin('map for actor 1', number);
    server.park(desk.waitFor(CAMERA), false);
    return server;
  };
  return { desk, one, call, serve };
}

test('DeadlockLook, a call, waits for the generator that serves it, and for nobody before and after', (t) => {
  const { desk, call, serve } = calling();
  t.deepEqual(desk.texts(), [], 'the call is on its way');
  const server = serve(call);
  t.deepEqual(desk.texts(), ['actor 1 -> map of actor 3 -> actor 3/map for actor 1 -> a word of 1 -> actor 1']);
  server.end();
  t.deepEqual(desk.texts(), [], 'the answer is on its way');
});

test('DeadlockLook, a call that two claim to serve, waits for none of them', (t) => {
  const { desk, call, serve } = calling();
  serve(call);
  serve(call);
  t.deepEqual(desk.texts(), []);
});

test('DeadlockLook, an actor that others call, is never stuck as a whole, but one generator of it may be', (t) => {
  const desk = new Desk();
  const server = desk.rows(SERVER).begin('attach for actor 1', 99);
  const one = desk.rows(CAMERA).begin('main');
  server.park(desk.waitFor(CAMERA), false);
  one.park(desk.waitFor(SERVER), false);
  t.deepEqual(desk.texts(), []);
  one.park(desk.waitFor(SERVER, undefined, server.number), false);
  t.is(desk.texts().length, 1);
});

test('DeadlockLook, a generator that begins in a free row between the passes, is seen', (t) => {
  const { desk, camera } = crossed();
  const ended = camera.begin('lane 2');
  ended.end();
  let begins = true;
  desk.look = new DeadlockLook(desk.words, desk.parks, {
    ownersOf: ({ word }) => {
      if (begins) camera.begin('lane 3'); // in the row that was free in the first pass
      begins = false;
      return desk.ownersOf(word);
    },
  });
  t.deepEqual(desk.texts(), []);
});

test('ParkWords.reset, what a dead actor left, is forgotten, and its next life goes on with other serials', (t) => {
  const { desk, camera } = crossed();
  for (let i = 0; i < PARK_ROWS; i += 1) camera.begin('other');
  camera.received();
  const before = desk.parks.serial(CAMERA, 0);
  desk.parks.reset(CAMERA);
  t.deepEqual(
    desk.see().tasks.map(({ actor }) => actor.id),
    [GPU],
  );
  t.true(desk.see().isWhole, 'nothing is without a row');
  const again = desk.rows(CAMERA).begin('main');
  again.park(desk.waitFor(GPU), false);
  t.deepEqual(desk.texts(), [CYCLE]);
  t.true(desk.parks.serial(CAMERA, 0) > before);
});

test('ParkRows, more texts than there is room for, are told as one', (t) => {
  const told: string[] = [];
  const rows = new ParkRows(new Desk().parks, CAMERA, (_, text) => told.push(text));
  for (let i = 0; i < 5000; i += 1) rows.begin(`lane ${i}`).end();
  t.is(told.length, 4097);
  t.is(told.at(-1), 'something');
});
