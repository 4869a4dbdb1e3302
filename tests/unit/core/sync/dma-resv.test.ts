import { AtomicWords, actorId, bufferSlot, type Park, type Task, timelineSlot, WordPark } from '@dmabuf-lab/core/base';
import { layOutTables, openTables } from '@dmabuf-lab/core/driver';
import { DmaResv, lockReservations, RESV_SLOTS, ResvUsage, Timeline, usageToWaitFor } from '@dmabuf-lab/core/sync';
import test from 'ava';

const COUNTS = { actors: 2, buffers: 2, attachments: 1, timelines: 16, pools: 1, frames: 1, rings: [] };
const tables = layOutTables(COUNTS);
const [A, B] = [bufferSlot(0), bufferSlot(1)];

function fresh() {
  return openTables(new AtomicWords(new SharedArrayBuffer(tables.sizeBytes)), tables, actorId(1));
}

function finish<T>(task: Task<T>): T {
  const result = task.next();
  if (result.done !== true) throw new Error(`it waits for ${result.value.what}`);
  return result.value;
}

const usages = [ResvUsage.Kernel, ResvUsage.Write, ResvUsage.Read, ResvUsage.Bookkeep];

for (const usage of usages) {
  test(`DmaResv.testSignalled, with one fence of usage ${usage}, at every level`, (t) => {
    const open = fresh();
    const timeline = new Timeline(open.timelines, timelineSlot(0));
    const resv = new DmaResv(open.resv, open.timelines, A);
    const fence = timeline.next();
    resv.reserveFences(1);
    resv.addFence(fence, usage);
    for (const level of usages) t.is(resv.testSignalled(level), level < usage, `level ${level}`);
    timeline.signal(fence);
    for (const level of usages) t.true(resv.testSignalled(level));
  });
}

test('usageToWaitFor, a writer waits for readers and writers, a reader for writers', (t) => {
  t.is(usageToWaitFor(true), ResvUsage.Read);
  t.is(usageToWaitFor(false), ResvUsage.Write);
});

test('DmaResv.addFence, of the same context again, replaces it and promotes its usage', (t) => {
  const open = fresh();
  const timeline = new Timeline(open.timelines, timelineSlot(0));
  const resv = new DmaResv(open.resv, open.timelines, A);
  const [first, second] = [timeline.next(), timeline.next()];
  resv.addFence(first, ResvUsage.Read);
  resv.addFence(second, ResvUsage.Write);
  const fences = open.resv.fences(A);
  t.is(fences.length, 1);
  t.like(fences[0], { usage: ResvUsage.Write, fence: { seqno: 2 } });
});

test('DmaResv.addFence, of the same context at a weaker usage, degrades nothing', (t) => {
  const open = fresh();
  const timeline = new Timeline(open.timelines, timelineSlot(0));
  const resv = new DmaResv(open.resv, open.timelines, A);
  resv.addFence(timeline.next(), ResvUsage.Write);
  resv.addFence(timeline.next(), ResvUsage.Read);
  t.false(resv.testSignalled(ResvUsage.Write));
});

test('DmaResv.reserveFences, beyond the slots, is ENOMEM until a fence has signalled', (t) => {
  const open = fresh();
  const resv = new DmaResv(open.resv, open.timelines, A);
  const owners = Array.from({ length: RESV_SLOTS }, (_, i) => new Timeline(open.timelines, timelineSlot(i)));
  const fences = owners.map((owner) => {
    const fence = owner.next();
    resv.reserveFences(1);
    resv.addFence(fence, ResvUsage.Read);
    return fence;
  });
  t.throws(() => resv.reserveFences(1), { code: 'ENOMEM' } as object);
  owners[3].signal(fences[3]);
  t.notThrows(() => resv.reserveFences(1));
});

test('ResvWords.lockStep, younger meets older, is EDEADLK; older meets younger, waits; again, is EALREADY', (t) => {
  const { resv } = fresh();
  const older = resv.acquireContext(actorId(1));
  const younger = resv.acquireContext(actorId(2));
  t.is(resv.lockStep(A, older), 'locked');
  t.is(resv.lockStep(A, older), 'EALREADY');
  t.is(resv.lockStep(A, younger), 'EDEADLK');
  t.is(resv.lockStep(B, younger), 'locked');
  t.true(resv.lockStep(B, older) instanceof WordPark);
});

test('lockReservations, in opposite order, the younger backs off and both get through', (t) => {
  const { resv } = fresh();
  const older = resv.acquireContext(actorId(1));
  const younger = resv.acquireContext(actorId(2));
  t.is(resv.lockStep(A, older), 'locked');
  const task = lockReservations(resv, [B, A], younger);
  const parked: IteratorResult<Park, void> = task.next();
  t.false(parked.done); // it has let go of B and waits for A
  t.is(resv.lockStep(B, older), 'locked');
  resv.unlock(A, older);
  resv.unlock(B, older);
  t.true(task.next(true).done);
  t.true(resv.isLockedBy(A, younger) && resv.isLockedBy(B, younger));
});

test('ResvWords.unlock, by another context, breaks an invariant', (t) => {
  const { resv } = fresh();
  const [one, two] = [resv.acquireContext(actorId(1)), resv.acquireContext(actorId(2))];
  t.is(resv.lockStep(A, one), 'locked');
  t.throws(() => resv.unlock(A, two), { name: 'InvariantError' });
});

test('ResvWords.reclaimLock, frees the lock of a dead actor only', (t) => {
  const { resv } = fresh();
  const [dead, alive] = [resv.acquireContext(actorId(1)), resv.acquireContext(actorId(2))];
  resv.lockStep(A, dead);
  resv.lockStep(B, alive);
  resv.reclaimLock(A, actorId(1));
  resv.reclaimLock(B, actorId(1));
  t.is(resv.lockStep(A, alive), 'locked');
  t.true(resv.isLockedBy(B, alive));
});

test('DmaResv.wait, with a pending fence, parks and ends once it signals', (t) => {
  const open = fresh();
  const timeline = new Timeline(open.timelines, timelineSlot(0));
  const resv = new DmaResv(open.resv, open.timelines, A);
  const fence = timeline.next();
  resv.addFence(fence, ResvUsage.Write);
  const task = resv.wait(ResvUsage.Write, 'a test');
  t.false(task.next().done);
  timeline.signal(fence);
  t.true(task.next(true).done);
  t.notThrows(() => finish(resv.wait(ResvUsage.Bookkeep, 'a test')));
});
