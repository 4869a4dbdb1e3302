import { LockOrder, lockAll, WwClass, WwMutex } from '@dmabuf-lab/core/sync';
import test from 'ava';
import { TaskRunner } from './bench-fences.js';

/** Takes and drops locks, as one who takes them one by one. */
function takeAll(order: LockOrder, by: string, ...locks: string[]): void {
  for (const lock of locks) {
    order.taking(by, lock);
    order.taken(by, lock);
  }
  for (const lock of locks) order.dropped(by, lock);
}

test('LockOrder, two who take two locks in opposite orders, are named, though neither has ever waited', (t) => {
  const order = new LockOrder();
  takeAll(order, 'A', 'Y', 'X');
  t.deepEqual(order.cycles, []);
  takeAll(order, 'B', 'X', 'Y');
  t.deepEqual(
    order.cycles.map(({ text }) => text),
    ['B -> Y -> A -> X -> B'],
  );
});

test('LockOrder, a cycle over three, is named whole, the shortest way', (t) => {
  const order = new LockOrder();
  takeAll(order, 'A', 'X', 'Y');
  takeAll(order, 'B', 'Y', 'Z');
  takeAll(order, 'D', 'Y', 'W', 'Z');
  takeAll(order, 'C', 'Z', 'X');
  t.deepEqual(
    order.cycles.map(({ text }) => text),
    ['C -> X -> A -> Y -> B -> Z -> C'],
  );
});

test('LockOrder, the same order by everybody, and locks taken one after the other, are no cycle', (t) => {
  const order = new LockOrder();
  for (const by of ['A', 'B', 'C']) takeAll(order, by, 'X', 'Y', 'Z');
  takeAll(order, 'A', 'X', 'Z');
  takeAll(order, 'B', 'Z');
  takeAll(order, 'B', 'X');
  t.is(order.found, 0);
});

test('LockOrder, a lock taken again by its holder, is a cycle of one', (t) => {
  const order = new LockOrder();
  order.taking('A', 'X');
  order.taken('A', 'X');
  t.is(order.taking('A', 'X')?.text, 'A -> X -> A');
});

test('LockOrder, a cycle that is known, is told once; what is dropped, is held no more, in whatever order', (t) => {
  const order = new LockOrder();
  for (let i = 0; i < 3; i += 1) {
    takeAll(order, 'A', 'X', 'Y');
    takeAll(order, 'B', 'Y', 'X');
  }
  t.is(order.found, 1);
  order.dropped('A', 'X');
  order.taking('A', 'never');
  t.is(order.found, 1);
});

function scene() {
  const order = new LockOrder();
  const wwClass = new WwClass('test', order);
  const runner = new TaskRunner();
  const [x, y] = ['X', 'Y'].map((name) => new WwMutex(wwClass, name));
  const lock = (mutex: WwMutex, by: string) => {
    const running = runner.start(mutex.lock(undefined, by));
    runner.run();
    return running;
  };
  return { order, wwClass, runner, x, y, lock };
}

test('WwMutex, plain locks in opposite orders, the cycle is named before the second comes to wait for ever', (t) => {
  const { order, x, y, lock } = scene();
  lock(x, 'A');
  lock(y, 'B');
  t.false(lock(y, 'A').done);
  t.is(order.found, 0);
  t.false(lock(x, 'B').done, 'the deadlock that it is');
  t.is(order.cycles[0].text, 'B -> X -> A -> Y -> B');
});

test('WwMutex, plain locks in opposite orders one after the other, are named without a deadlock', (t) => {
  const { order, x, y, lock } = scene();
  lock(x, 'A');
  lock(y, 'A');
  y.unlock();
  x.unlock();
  const second = lock(y, 'B');
  t.true(second.done);
  t.true(lock(x, 'B').done);
  t.is(order.cycles[0].text, 'B -> X -> A -> Y -> B');
});

test('WwMutex, a plain lock that was waited for, is held by whom it was handed to', (t) => {
  const { order, runner, x, y, lock } = scene();
  lock(x, 'A');
  const waiting = lock(x, 'B');
  x.unlock();
  runner.run();
  t.true(waiting.done);
  lock(y, 'B');
  x.unlock();
  y.unlock();
  lock(y, 'A');
  lock(x, 'A');
  t.is(order.cycles[0].text, 'A -> X -> B -> Y -> A');
});

test('WwMutex, locks of acquire contexts, take part in no order', (t) => {
  const { order, wwClass, runner, x, y } = scene();
  for (const [owner, set] of [
    ['A', [x, y]],
    ['B', [y, x]],
  ] as const) {
    const context = wwClass.acquireContext(owner);
    const running = runner.start(lockAll(set, context));
    runner.run();
    t.true(running.done);
    for (const mutex of set) mutex.unlock(context);
  }
  t.is(order.found, 0);
});
