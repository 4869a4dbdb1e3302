import { Fence, type FenceInit, fenceName, isLaterFence, isLaterSeqno, laterFence } from '@dmabuf-lab/core/sync';
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { FenceBench } from './bench-fences.js';

test('Fence, made, is pending; signalled, is signalled with the time of its clock', (t) => {
  const bench = new FenceBench();
  const fence = bench.fence();
  t.false(fence.isSignalled());
  t.is(fence.timestampNs, undefined);
  bench.clock.timeNs = 2500;
  t.true(fence.signal());
  t.true(fence.isSignalled());
  t.is(fence.timestampNs, 2500);
});

test('Fence.signal, again, does nothing and keeps the time', (t) => {
  const fence = new FenceBench().fence();
  t.true(fence.signal(7));
  t.false(fence.signal(8));
  t.is(fence.timestampNs, 7);
});

test('Fence.addCallback, before the signal, is called once, in the order of registration', (t) => {
  const fence = new FenceBench().fence();
  const calls: number[] = [];
  for (const n of [1, 2, 3]) fence.addCallback(() => calls.push(n));
  t.deepEqual(calls, []);
  fence.signal();
  fence.signal();
  t.deepEqual(calls, [1, 2, 3]);
});

test('Fence.addCallback, after the signal, is ENOENT and never called', (t) => {
  const fence = new FenceBench().fence();
  fence.signal();
  t.throws(() => fence.addCallback(() => t.fail()), { code: 'ENOENT' } as object);
  t.is(
    fence.tryAddCallback(() => t.fail()),
    undefined,
  );
});

test('Fence.addCallback, within a callback of the same fence, is ENOENT', (t) => {
  const fence = new FenceBench().fence();
  t.plan(1);
  fence.addCallback(() => t.throws(() => fence.addCallback(() => t.fail()), { code: 'ENOENT' } as object));
  fence.signal();
});

test('Fence.removeCallback, before the signal, is true and it is not called', (t) => {
  const fence = new FenceBench().fence();
  const callback = fence.addCallback(() => t.fail());
  t.true(fence.removeCallback(callback));
  t.false(fence.removeCallback(callback));
  fence.signal();
  t.true(fence.isSignalled());
});

test('Fence.removeCallback, after the signal, is false', (t) => {
  const fence = new FenceBench().fence();
  let called = false;
  const callback = fence.addCallback(() => {
    called = true;
  });
  fence.signal();
  t.true(called);
  t.false(fence.removeCallback(callback));
});

test('Fence.status, 0 before the signal and 1 after', (t) => {
  const fence = new FenceBench().fence();
  t.is(fence.status, 0);
  fence.signal();
  t.is(fence.status, 1);
});

test('Fence.setError, is the status only after the signal', (t) => {
  const fence = new FenceBench().fence();
  fence.setError('EIO');
  t.is(fence.status, 0);
  fence.signal();
  t.is(fence.status, -5);
});

test('Fence.setError, after the signal or of no errno, breaks an invariant', (t) => {
  const bench = new FenceBench();
  const fence = bench.fence();
  for (const bad of [0, 5, -4096, -1.5]) t.throws(() => fence.setError(bad), { name: 'InvariantError' });
  fence.setError(-4095);
  fence.signal();
  t.throws(() => fence.setError('EIO'), { name: 'InvariantError' });
});

test('FenceContexts.stub, 64 times, is the same signalled fence of context 0', (t) => {
  const bench = new FenceBench();
  const stubs = Array.from({ length: 64 }, () => bench.contexts.stub());
  t.true(stubs.every((stub) => stub === stubs[0] && stub.isSignalled()));
  t.is(fenceName(stubs[0]), 'stub-stub0-0');
  t.is(stubs[0].timestampNs, 1000);
});

test('FenceContexts.allocate, numbers from 1, in rows', (t) => {
  const { contexts } = new FenceBench();
  t.deepEqual([contexts.allocate(), contexts.allocate(3), contexts.allocate()], [1, 2, 5]);
});

class LazyFence extends Fence {
  enabled = 0;
  hints: number[] = [];
  constructor(
    init: FenceInit,
    private readonly done: { already?: boolean; polled?: boolean } = {},
  ) {
    super(init);
  }
  protected override watch(): boolean {
    this.enabled += 1;
    return this.done.already !== true;
  }
  protected override pollSignalled(): boolean {
    return this.done.polled === true;
  }
  protected override deadlineHinted(deadlineNs: number): void {
    this.hints.push(deadlineNs);
  }
}

const init = (bench: FenceBench): FenceInit => ({
  clock: bench.clock,
  context: bench.contexts.allocate(),
  seqno: 1,
  driverName: 'lazy',
  timelineName: 'line',
});

test('Fence.watch, is asked with the first callback only', (t) => {
  const fence = new LazyFence(init(new FenceBench()));
  t.is(fence.enabled, 0);
  fence.addCallback(() => {});
  fence.addCallback(() => {});
  fence.enableSignalling();
  t.is(fence.enabled, 1);
});

test('Fence.watch, returning false, signals the fence and refuses the callback', (t) => {
  const fence = new LazyFence(init(new FenceBench()), { already: true });
  t.false(fence.isSignalled());
  t.throws(() => fence.addCallback(() => t.fail()), { code: 'ENOENT' } as object);
  t.true(fence.isSignalled());
});

test('Fence.isSignalled, of a fence whose hook says so, signals it and runs its callbacks', (t) => {
  const done: { polled?: boolean } = {};
  const fence = new LazyFence(init(new FenceBench()), done);
  t.plan(3);
  fence.addCallback(() => t.pass());
  t.false(fence.isSignalled());
  done.polled = true;
  t.is(fence.status, 1);
});

test('Fence.setDeadline, keeps the earliest, passes all on, and is ignored after the signal', (t) => {
  const fence = new LazyFence(init(new FenceBench()));
  for (const deadline of [900, 300, 600]) fence.setDeadline(deadline);
  t.is(fence.deadlineNs, 300);
  t.deepEqual(fence.hints, [900, 300, 600]);
  fence.signal();
  fence.setDeadline(1);
  t.is(fence.deadlineNs, 300);
});

test('Fence.release, with callbacks pending, ends it with EDEADLK; without, leaves it alone', (t) => {
  const bench = new FenceBench();
  const [awaited, alone] = bench.fences(2);
  let status = 0;
  awaited.addCallback((fence) => {
    status = fence.status;
  });
  awaited.release();
  alone.release();
  t.is(status, -35);
  t.is(alone.status, 0);
});

test('isLaterFence, 32 bits wrap around, 64 bits do not, other contexts have no order', (t) => {
  const bench = new FenceBench();
  t.true(isLaterSeqno(1, 0xffff_ffff, false));
  t.false(isLaterSeqno(1, 0xffff_ffff, true));
  t.true(isLaterSeqno(0x1_0000_0000, 0xffff_ffff, true));
  t.false(isLaterSeqno(5, 5, false));
  t.throws(() => isLaterFence(bench.fence(), bench.fence()), { name: 'InvariantError' });
});

test('laterFence, is the later while it is pending', (t) => {
  const bench = new FenceBench();
  const context = bench.contexts.allocate();
  const [one, two] = [bench.fence(context, 1), bench.fence(context, 2)];
  t.is(laterFence(one, two), two);
  two.signal();
  t.is(laterFence(one, two), undefined);
});

type Step = { readonly kind: 'add' | 'remove' | 'signal'; readonly pick: number };
const steps = fc.array(
  fc.record<Step>({ kind: fc.constantFrom('add', 'add', 'remove', 'signal'), pick: fc.nat({ max: 9 }) }),
  { maxLength: 30 },
);

testProp('Fence, whatever is added, removed and signalled, calls what was queued, once (model)', [steps], (t, run) => {
  const fence = new FenceBench().fence();
  const called: number[] = [];
  const entries: { id: number; entry: ReturnType<Fence['tryAddCallback']> }[] = [];
  let queued: number[] = [];
  let expected: number[] | undefined;
  run.forEach(({ kind, pick }, id) => {
    if (kind === 'add') {
      const entry = fence.tryAddCallback(() => called.push(id));
      t.is(entry === undefined, expected !== undefined);
      entries.push({ id, entry });
      if (entry !== undefined) queued.push(id);
    } else if (kind === 'remove') {
      const picked = entries[pick];
      if (picked?.entry === undefined) return;
      t.is(fence.removeCallback(picked.entry), queued.includes(picked.id));
      queued = queued.filter((other) => other !== picked.id);
    } else {
      t.is(fence.signal(), expected === undefined);
      expected ??= queued;
      queued = [];
    }
  });
  t.deepEqual(called, expected ?? []);
});
