import { type Fence, FenceArray, ResvObject, ResvUsage, WwClass } from '@dmabuf-lab/core/sync';
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { FenceBench, TaskRunner } from './bench-fences.js';

const wwClass = new WwClass('reservation_ww_class');
const USAGES = Object.entries(ResvUsage);
const LEVELS = Object.values(ResvUsage);

/** A reservation whose lock is held. */
function locked(): { bench: FenceBench; resv: ResvObject } {
  const bench = new FenceBench();
  const resv = new ResvObject(bench.contexts, wwClass, 'buffer');
  resv.tryLock();
  return { bench, resv };
}

function add(resv: ResvObject, fence: Fence, usage: ResvUsage): void {
  resv.reserveFences(1);
  resv.addFence(fence, usage);
}

test('ResvObject, locked and unlocked, is empty and signalled', (t) => {
  const { resv } = locked();
  resv.unlock();
  t.false(resv.mutex.isLocked);
  t.is(resv.count, 0);
  t.true(LEVELS.every((level) => resv.testSignalled(level)));
});

for (const [name, usage] of USAGES) {
  test(`ResvObject.testSignalled, with a fence for ${name}, is false from that level on until it signals`, (t) => {
    const { bench, resv } = locked();
    const fence = bench.fence();
    add(resv, fence, usage);
    for (const level of LEVELS) t.is(resv.testSignalled(level), level < usage);
    fence.signal();
    for (const level of LEVELS) t.true(resv.testSignalled(level));
  });

  test(`ResvObject.entries, with a fence for ${name}, gives exactly it, signalled too`, (t) => {
    const { bench, resv } = locked();
    const fence = bench.fence();
    add(resv, fence, usage);
    t.deepEqual([...resv.entries(usage)], [{ fence, usage }]);
    if (usage > 0) t.deepEqual([...resv.entries((usage - 1) as ResvUsage)], []);
    fence.signal();
    t.is([...resv.entries(usage)].length, 1);
  });

  test(`ResvObject.cursor, with a fence for ${name}, starts over when the list is exchanged`, (t) => {
    const { bench, resv } = locked();
    const fence = bench.fence();
    add(resv, fence, usage);
    const cursor = resv.cursor(usage);
    t.is(cursor.first(), fence);
    t.true(cursor.isRestarted);
    t.is(cursor.usage, usage);
    resv.reserveFences(100);
    t.is(cursor.next(), fence);
    t.true(cursor.isRestarted);
    t.is(cursor.next(), undefined);
    t.false(cursor.isRestarted);
  });

  test(`ResvObject.getFences, with a fence for ${name}, gives exactly it while it is pending`, (t) => {
    const { bench, resv } = locked();
    const fence = bench.fence();
    add(resv, fence, usage);
    t.deepEqual(resv.getFences(usage), [fence]);
    if (usage > 0) t.deepEqual(resv.getFences((usage - 1) as ResvUsage), []);
    fence.signal();
    t.deepEqual(resv.getFences(usage), []);
  });
}

test('ResvObject.addFence, promoted, changes its usage, degraded, stands twice', (t) => {
  const { bench, resv } = locked();
  const fence = bench.fence();
  add(resv, fence, ResvUsage.Read);
  add(resv, fence, ResvUsage.Write);
  t.deepEqual(resv.pending(ResvUsage.Bookkeep), [{ fence, usage: ResvUsage.Write }]);
  add(resv, fence, ResvUsage.Read);
  t.is(resv.count, 2);
  t.false(resv.testSignalled(ResvUsage.Write));
});

test('ResvObject.addFence, of its context, a later one replaces, an earlier one stands beside', (t) => {
  const { bench, resv } = locked();
  const context = bench.contexts.allocate();
  const [one, two, three] = [1, 2, 3].map((seqno) => bench.fence(context, seqno));
  add(resv, two, ResvUsage.Write);
  add(resv, three, ResvUsage.Write);
  t.deepEqual(resv.getFences(ResvUsage.Write), [three]);
  add(resv, one, ResvUsage.Write);
  t.deepEqual(resv.getFences(ResvUsage.Write), [three, one]);
});

test('ResvObject.addFence, with a signalled one before its own entry, takes that place and stands twice', (t) => {
  const { bench, resv } = locked();
  const [first, second] = bench.fences(2);
  add(resv, first, ResvUsage.Write);
  add(resv, second, ResvUsage.Write);
  first.signal();
  add(resv, second, ResvUsage.Write);
  const singleton = resv.getSingleton(ResvUsage.Write);
  t.true(singleton instanceof FenceArray);
  t.deepEqual(resv.getFences(ResvUsage.Write), [second, second]);
});

test('ResvObject.addFence, of a container, without room or without the lock, breaks an invariant', (t) => {
  const { bench, resv } = locked();
  const broken = { name: 'InvariantError' };
  t.throws(() => resv.addFence(bench.fence(), ResvUsage.Read), broken);
  resv.reserveFences(1);
  t.throws(() => resv.addFence(new FenceArray(bench.contexts, bench.fences(2)), ResvUsage.Read), broken);
  for (const fence of bench.fences(5)) resv.addFence(fence, ResvUsage.Read);
  t.throws(() => resv.addFence(bench.fence(), ResvUsage.Read), broken);
  resv.unlock();
  t.throws(() => resv.reserveFences(1), broken);
});

test('ResvObject.reserveFences, takes 4 or a power of two and what the memory block has room for, doubles, and drops what has signalled', (t) => {
  for (const [count, capacity] of [
    [1, 5],
    [4, 5],
    [5, 9],
    [9, 21],
  ]) {
    const { resv } = locked();
    resv.reserveFences(count);
    t.is(resv.capacity, capacity);
  }
  const { bench, resv } = locked();
  const fences = bench.fences(5);
  for (const fence of fences) add(resv, fence, ResvUsage.Read);
  fences[0].signal();
  resv.reserveFences(1);
  t.is(resv.capacity, 13);
  t.deepEqual(resv.getFences(ResvUsage.Read), fences.slice(1));
  t.is(resv.count, 4);
  resv.reserveFences(20);
  t.is(resv.capacity, 29);
});

test('ResvObject.unlock, makes void what was reserved', (t) => {
  const { bench, resv } = locked();
  resv.reserveFences(2);
  resv.unlock();
  resv.tryLock();
  t.throws(() => resv.addFence(bench.fence(), ResvUsage.Read), { name: 'InvariantError' });
});

test('ResvObject.replaceFences, exchanges those of a context and keeps their number', (t) => {
  const { bench, resv } = locked();
  const [old, other, instead] = bench.fences(3);
  add(resv, old, ResvUsage.Bookkeep);
  add(resv, other, ResvUsage.Read);
  resv.replaceFences(old.context, instead, ResvUsage.Read);
  t.deepEqual(resv.getFences(ResvUsage.Read), [instead, other]);
});

test('ResvObject.getSingleton, of none, one and two', (t) => {
  const { bench, resv } = locked();
  const [one, two] = bench.fences(2);
  t.is(resv.getSingleton(ResvUsage.Read), undefined);
  add(resv, one, ResvUsage.Read);
  t.is(resv.getSingleton(ResvUsage.Read), one);
  add(resv, two, ResvUsage.Read);
  const both = resv.getSingleton(ResvUsage.Read);
  t.true(both instanceof FenceArray && both.status === 0);
  one.signal();
  two.signal();
  t.is(both?.status, 1);
});

test('ResvObject.copyFences, takes the pending fences with their usage', (t) => {
  const { bench, resv } = locked();
  const [done, pending] = bench.fences(2);
  add(resv, done, ResvUsage.Write);
  add(resv, pending, ResvUsage.Bookkeep);
  done.signal();
  const copy = new ResvObject(bench.contexts, wwClass, 'copy');
  copy.tryLock();
  copy.copyFences(resv);
  t.deepEqual([...copy.entries(ResvUsage.Bookkeep)], [{ fence: pending, usage: ResvUsage.Bookkeep }]);
});

test('ResvObject.setDeadline, reaches the fences up to the usage', (t) => {
  const { bench, resv } = locked();
  const [write, read] = bench.fences(2);
  add(resv, write, ResvUsage.Write);
  add(resv, read, ResvUsage.Read);
  resv.setDeadline(ResvUsage.Write, 9);
  t.deepEqual([write.deadlineNs, read.deadlineNs], [9, undefined]);
});

test('ResvObject.wait, ends when all up to the usage have signalled, with errors or not', (t) => {
  const { bench, resv } = locked();
  const [write, read, book] = bench.fences(3);
  add(resv, write, ResvUsage.Write);
  add(resv, read, ResvUsage.Read);
  add(resv, book, ResvUsage.Bookkeep);
  const runner = new TaskRunner();
  const wait = runner.start(resv.wait(ResvUsage.Read, 'a test'));
  runner.run();
  read.signal();
  runner.run();
  t.false(wait.done);
  write.setError('EIO');
  write.signal();
  runner.run();
  t.like(wait, { done: true, value: true });
});

test('ResvObject.wait, with the list grown meanwhile, waits for what came too', (t) => {
  const { bench, resv } = locked();
  const [first, later] = bench.fences(2);
  add(resv, first, ResvUsage.Write);
  let done = false;
  resv.whenSignalled(ResvUsage.Write, () => {
    done = true;
  });
  resv.reserveFences(50);
  resv.addFence(later, ResvUsage.Write);
  first.signal();
  t.false(done);
  later.signal();
  t.true(done);
});

test('ResvObject.wait, out of time, is false and leaves nothing behind; cancelled, never calls', (t) => {
  const { bench, resv } = locked();
  const fence = bench.fence();
  add(resv, fence, ResvUsage.Write);
  const runner = new TaskRunner();
  const wait = runner.start(resv.wait(ResvUsage.Write, 'a test', { untilNs: 2000, alarm: bench.clock.alarm }));
  resv.whenSignalled(ResvUsage.Write, () => t.fail())?.cancel();
  runner.run();
  bench.clock.moveTo(2000);
  runner.run();
  t.like(wait, { done: true, value: false });
  t.is(
    resv.whenSignalled(ResvUsage.Kernel, () => t.fail()),
    undefined,
  );
  fence.signal();
});

test('ResvObject.wait, with 4096 fences already signalled behind the first, goes through without recursion', (t) => {
  const { bench, resv } = locked();
  const fences = bench.fences(4096);
  resv.reserveFences(fences.length);
  for (const fence of fences) resv.addFence(fence, ResvUsage.Read);
  let done = false;
  resv.whenSignalled(ResvUsage.Read, () => {
    done = true;
  });
  for (const fence of [...fences].reverse()) fence.signal();
  t.true(done);
});

const step = fc.record({
  context: fc.integer({ min: 1, max: 3 }),
  usage: fc.constantFrom(...LEVELS),
  signal: fc.option(fc.nat({ max: 20 }), { nil: undefined }),
});

testProp(
  'ResvObject.addFence, whatever is added and signalled, forgets no pending fence at its usage (model)',
  [fc.array(step, { minLength: 1, maxLength: 20 })],
  (t, steps) => {
    const { bench, resv } = locked();
    bench.contexts.allocate(3);
    const added: { fence: Fence; usage: ResvUsage }[] = [];
    steps.forEach(({ context, usage, signal }, i) => {
      const fence = bench.fence(context, i + 1);
      add(resv, fence, usage);
      added.push({ fence, usage });
      // the points of one context signal in order
      const picked = added[signal ?? -1]?.fence;
      if (picked === undefined) return;
      for (const { fence: one } of added) if (one.context === picked.context && one.seqno <= picked.seqno) one.signal();
    });
    for (const level of LEVELS) {
      const pending = added.filter(({ fence, usage }) => usage <= level && !fence.isSignalled());
      t.is(resv.testSignalled(level), pending.length === 0);
      // each is there, or a later one of its context that implies it
      const kept = resv.getFences(level);
      t.true(pending.every(({ fence }) => kept.some((k) => k.context === fence.context && k.seqno >= fence.seqno)));
    }
  },
);
