import { ReplyPark, type Task } from '@dmabuf-lab/core/base';
import { lockAll, type WwAcquireContext, WwClass, WwMutex } from '@dmabuf-lab/core/sync';
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { type Running, TaskRunner } from './bench-fences.js';

interface Scene {
  readonly a: WwMutex;
  readonly b: WwMutex;
  readonly older: WwAcquireContext;
  readonly younger: WwAcquireContext;
  readonly third: WwAcquireContext;
  readonly runner: TaskRunner;
  /** Starts to lock and runs as far as it goes. */
  readonly lock: (mutex: WwMutex, context?: WwAcquireContext) => Running<void>;
}

function scene(): Scene {
  const wwClass = new WwClass('test');
  const runner = new TaskRunner();
  const lock = (mutex: WwMutex, context?: WwAcquireContext): Running<void> => {
    const running = runner.start(mutex.lock(context));
    runner.run();
    return running;
  };
  const [older, younger, third] = ['older', 'younger', 'third'].map((owner) => wwClass.acquireContext(owner));
  return { a: new WwMutex(wwClass, 'A'), b: new WwMutex(wwClass, 'B'), older, younger, third, runner, lock };
}

const isWaiting = (running: Running<void>): boolean => !running.done;

test('WwMutex.lock, free, is taken at once and counted on its context', (t) => {
  const { a, older, lock } = scene();
  t.like(lock(a, older), { done: true, error: undefined });
  t.true(a.isLocked && a.isHeldBy(older));
  t.is(older.acquired, 1);
  a.unlock(older);
  t.false(a.isLocked);
  t.is(older.acquired, 0);
  t.notThrows(() => older.fini());
});

test('WwMutex.lock, again by its context, is EALREADY', (t) => {
  const { a, older, lock } = scene();
  lock(a, older);
  t.like(lock(a, older).error, { code: 'EALREADY' });
});

test('WwMutex.lock, an older context meets a younger holder, waits and gets it', (t) => {
  const { a, b, older, younger, runner, lock } = scene();
  lock(a, younger);
  lock(b, older);
  const waiting = lock(a, older);
  t.true(isWaiting(waiting));
  a.unlock(younger);
  runner.run();
  t.like(waiting, { done: true, error: undefined });
  t.true(a.isHeldBy(older));
});

test('WwMutex.lock, a younger context that holds locks meets an older holder, is EDEADLK', (t) => {
  const { a, b, older, younger, lock } = scene();
  lock(a, older);
  lock(b, younger);
  t.like(lock(a, younger).error, { code: 'EDEADLK', op: 'ww_mutex_lock' });
  t.is(a.waiters, 0);
});

test('WwMutex.lock, a younger context that holds nothing, waits', (t) => {
  const { a, older, younger, runner, lock } = scene();
  lock(a, older);
  const waiting = lock(a, younger);
  t.true(isWaiting(waiting));
  a.unlock(older);
  runner.run();
  t.true(a.isHeldBy(younger));
});

test('WwMutex.lockSlow, after backing off, waits for the contended mutex', (t) => {
  const { a, b, older, younger, runner, lock } = scene();
  lock(a, older);
  lock(b, younger);
  lock(a, younger);
  b.unlock(younger);
  const slow = runner.start(a.lockSlow(younger));
  runner.run();
  t.false(slow.done);
  a.unlock(older);
  runner.run();
  t.true(slow.done && a.isHeldBy(younger));
});

test('WwMutex.lockSlow, while holding a lock, breaks an invariant', (t) => {
  const { a, b, older, runner, lock } = scene();
  lock(a, older);
  const slow = runner.start(b.lockSlow(older));
  runner.run();
  t.like(slow.error, { name: 'InvariantError' });
});

test('WwMutex.unlock, hands it to the oldest waiting context, not to the first', (t) => {
  const { a, older, younger, third, runner, lock } = scene();
  lock(a, third);
  const waits = [lock(a, younger), lock(a, older)];
  a.unlock(third);
  runner.run();
  t.true(a.isHeldBy(older));
  a.unlock(older);
  runner.run();
  t.true(a.isHeldBy(younger));
  t.true(waits.every(({ done, error }) => done && error === undefined));
});

test('WwMutex.lock, an older waiter arrives, the younger waiter that holds locks dies', (t) => {
  const { a, b, older, younger, third, lock } = scene();
  lock(a, third); // the youngest holds A
  lock(b, younger);
  const waiting = lock(a, younger);
  t.true(isWaiting(waiting));
  const late = lock(a, older);
  t.true(isWaiting(late));
  t.is(a.waiters, 1);
});

test('WwMutex.lock, plain, waits in turn and takes no part in wait-die', (t) => {
  const { a, older, runner, lock } = scene();
  lock(a);
  const [plain, withContext] = [lock(a), lock(a, older)];
  a.unlock();
  runner.run();
  t.true(plain.done);
  t.true(isWaiting(withContext));
  a.unlock();
  runner.run();
  t.true(a.isHeldBy(older));
});

test('WwMutex.tryLock, taken, is false, free, is true, never an errno', (t) => {
  const { a, older, younger } = scene();
  t.true(a.tryLock(older));
  t.false(a.tryLock(older));
  t.false(a.tryLock(younger));
  t.false(a.tryLock());
});

test('WwMutex.unlock, free or by another context, breaks an invariant', (t) => {
  const { a, older, younger, lock } = scene();
  t.throws(() => a.unlock(), { name: 'InvariantError' });
  lock(a, older);
  t.throws(() => a.unlock(younger), { name: 'InvariantError' });
});

test('WwAcquireContext, done, locks no more; fini with a lock held breaks an invariant', (t) => {
  const { a, b, older, lock } = scene();
  lock(a, older);
  t.throws(() => older.fini(), { name: 'InvariantError' });
  older.done();
  t.throws(() => b.tryLock(older), { name: 'InvariantError' });
  a.unlock(older);
  t.notThrows(() => older.fini());
});

test('WwMutex.lock, its task ended while it waits, leaves the queue; with the lock on its way, passes it on', (t) => {
  const { a, older, younger, lock } = scene();
  lock(a, older);
  const task = a.lock(younger);
  task.next();
  task.return();
  t.is(a.waiters, 0);
  const granted = a.lock(younger);
  const park = granted.next();
  if (park.done !== true && park.value.kind === 'reply') park.value.start({ resolve: () => {}, reject: () => {} });
  a.unlock(older);
  t.true(a.isHeldBy(younger));
  granted.return();
  t.false(a.isLocked);
});

test('lockAll, of two sets in opposite order, both get through', (t) => {
  const { a, b, older, younger, runner, lock } = scene();
  lock(a, older);
  const both = runner.start(lockAll([b, a, b], younger));
  runner.run();
  t.false(both.done);
  t.false(b.isLocked); // it has backed off
  lock(b, older);
  a.unlock(older);
  b.unlock(older);
  runner.run();
  t.like(both, { done: true, error: undefined });
  t.is(younger.acquired, 2);
});

interface Shared {
  readonly busy: Set<WwMutex>;
  /** Lets some other task run first, in either kind of runner. */
  readonly work: () => Task<void>;
}

function* useSet(mutexes: readonly WwMutex[], context: WwAcquireContext, { busy, work }: Shared): Task<void> {
  yield* work();
  yield* lockAll(mutexes, context);
  for (const mutex of new Set(mutexes)) {
    if (busy.has(mutex)) throw new Error(`${mutex.name} is held twice`);
    busy.add(mutex);
  }
  yield* work();
  for (const mutex of new Set(mutexes)) {
    busy.delete(mutex);
    mutex.unlock(context);
  }
  context.fini();
}

for (const atOnce of [false, true]) {
  testProp(
    `lockAll, of random sets in random orders, replies served ${atOnce ? 'at once' : 'later'}, never deadlocks`,
    [
      fc.array(fc.array(fc.nat({ max: 4 }), { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 8 }),
      fc.infiniteStream(fc.nat()),
    ],
    (t, sets, choices) => {
      const wwClass = new WwClass('random');
      const mutexes = Array.from({ length: 5 }, (_, i) => new WwMutex(wwClass, `mutex ${i}`));
      const working: (() => void)[] = [];
      const pick = (count: number): number => choices.next().value % count;
      const runner = new TaskRunner(pick, atOnce);
      const work = function* (): Task<void> {
        yield new ReplyPark(({ resolve }) => working.push(() => resolve(undefined)), 'its work');
      };
      const busy = new Set<WwMutex>();
      const tasks = sets.map((set, i) => {
        const picked = set.map((index) => mutexes[index]);
        return runner.start(useSet(picked, wwClass.acquireContext(`task ${i}`), { busy, work }));
      });
      runner.run();
      while (working.length > 0) {
        working.splice(pick(working.length), 1)[0]();
        runner.run();
      }
      for (const task of tasks) t.like(task, { done: true, error: undefined });
      t.true(mutexes.every((mutex) => !mutex.isLocked && mutex.waiters === 0));
    },
  );
}
