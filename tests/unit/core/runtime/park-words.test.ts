import { ReplyPark, TimePark } from '@dmabuf-lab/core/base';
import { DeadlockLook, PARK_ROWS, ParkRows } from '@dmabuf-lab/core/runtime';
import test from 'ava';
import { CAMERA, CYCLE, crossed, Desk, GPU, SERVER } from './park-desk.js';

test('DeadlockLook, two actors that wait for a word of each other, are in a deadlock', (t) => {
  const { desk } = crossed();
  t.deepEqual(desk.cycles(), [CYCLE]);
  t.true(desk.see().isWhole);
});

test('DeadlockLook, one of them runs again, has ended or its word has changed: there is no deadlock', (t) => {
  const running = crossed();
  running.one.run();
  t.deepEqual(running.desk.cycles(), []);
  const ended = crossed();
  ended.one.run();
  ended.one.end();
  t.deepEqual(ended.desk.cycles(), []);
  const woken = crossed();
  woken.desk.words.store(woken.park.word, 1);
  t.deepEqual(woken.desk.cycles(), []);
});

test('DeadlockLook, another generator of an awaited actor runs, sleeps or has no row: there is no deadlock', (t) => {
  for (const state of ['runs', 'sleeps', 'has no row'] as const) {
    const { desk, camera } = crossed();
    if (state === 'has no row')
      for (let i = 1; i < PARK_ROWS; i += 1) camera.begin(`lane ${i}`).park(desk.waitFor(GPU), false);
    else if (state === 'sleeps') camera.begin('tick').park(new TimePark(1, 'a tick'), false);
    if (state !== 'sleeps') camera.begin('another');
    t.deepEqual(desk.cycles(), [], state);
  }
});

test('DeadlockLook, one without a row that has ended again, counts no more', (t) => {
  const { desk, camera } = crossed();
  const others = Array.from({ length: PARK_ROWS }, () => camera.begin('other'));
  t.deepEqual(desk.cycles(), []);
  for (const other of others) other.end();
  t.deepEqual(desk.cycles(), [CYCLE]);
});

test('DeadlockLook, a wait with a time-out, counts until that is due; one that passes at once never', (t) => {
  const { desk, one, park } = crossed(5_000_000);
  t.deepEqual(desk.cycles(4_999_999), [CYCLE]);
  t.deepEqual(desk.cycles(5_000_000), []);
  one.park(park, true);
  t.deepEqual(desk.cycles(0), []);
});

test('DeadlockLook, an actor with a message of the runtime before it, can go on', (t) => {
  const { desk, camera } = crossed();
  desk.posted.set(CAMERA, 1);
  t.deepEqual(desk.cycles(), []);
  t.false(desk.see().isWhole);
  camera.received();
  t.deepEqual(desk.cycles(), [CYCLE]);
});

test('DeadlockLook, a generator that failed and serves nobody, counts as running; one that serves a call has answered', (t) => {
  const { desk, camera } = crossed();
  const other = camera.begin('lane 2');
  other.fail();
  t.deepEqual(desk.cycles(), []);
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
  t.deepEqual(desk.cycles(), [], 'the call is on its way');
  const server = serve(call);
  t.deepEqual(desk.cycles(), ['actor 1 -> map of actor 3 -> actor 3/map for actor 1 -> a word of 1 -> actor 1']);
  server.end();
  t.deepEqual(desk.cycles(), [], 'the answer is on its way');
});

test('DeadlockLook, a call that two claim to serve, waits for none of them', (t) => {
  const { desk, call, serve } = calling();
  serve(call);
  serve(call);
  t.deepEqual(desk.cycles(), []);
});

test('DeadlockLook, an actor that others call, is never stuck as a whole, but one generator of it may be', (t) => {
  const desk = new Desk();
  const server = desk.rows(SERVER).begin('attach for actor 1', 99);
  const one = desk.rows(CAMERA).begin('main');
  server.park(desk.waitFor(CAMERA), false);
  one.park(desk.waitFor(SERVER), false);
  t.deepEqual(desk.cycles(), []);
  one.park(desk.waitFor(SERVER, undefined, server.number), false);
  t.is(desk.cycles().length, 1);
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
  t.deepEqual(desk.cycles(), []);
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
  t.deepEqual(desk.cycles(), [CYCLE]);
  t.true(desk.parks.serial(CAMERA, 0) > before);
});

test('ParkRows, more texts than there is room for, are told as one', (t) => {
  const told: string[] = [];
  const rows = new ParkRows(new Desk().parks, CAMERA, (_, text) => told.push(text));
  for (let i = 0; i < 5000; i += 1) rows.begin(`lane ${i}`).end();
  t.is(told.length, 4097);
  t.is(told.at(-1), 'something');
});
