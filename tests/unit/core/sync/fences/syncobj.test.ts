import { type Fence, FenceArray, FenceChain, SyncFile, SyncObject } from '@dmabuf-lab/core/sync';
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { FenceBench } from './bench-fences.js';

function timeline(points: readonly number[]): { bench: FenceBench; object: SyncObject; fences: Fence[] } {
  const bench = new FenceBench();
  const object = new SyncObject(bench.contexts);
  const fences = points.map((point) => {
    const fence = bench.fence();
    object.addPoint(fence, point);
    return fence;
  });
  return { bench, object, fences };
}

test('SyncObject, made, has no fence; made signalled, a signalled one', (t) => {
  const { contexts } = new FenceBench();
  t.is(new SyncObject(contexts).fence, undefined);
  t.throws(() => new SyncObject(contexts).findFence(0), { code: 'EINVAL' } as object);
  t.true(new SyncObject(contexts, { signalled: true }).findFence(0).isSignalled());
});

test('SyncObject.query, of a binary one, is 0, and point 1 has no fence', (t) => {
  const object = new SyncObject(new FenceBench().contexts, { signalled: true });
  t.is(object.query(), 0);
  t.is(object.queryLastSubmitted(), 0);
  t.true(object.isSubmitted(0));
  t.false(object.isSubmitted(1));
  t.throws(() => object.findFence(1), { code: 'EINVAL' } as object);
});

test('SyncObject.signal, then reset, forgets the fence', (t) => {
  const object = new SyncObject(new FenceBench().contexts);
  object.signal();
  t.true(object.findFence(0).isSignalled());
  object.reset();
  t.false(object.isSubmitted(0));
});

test('SyncObject.signalPoint, at or below the last one, leaves the query where it is', (t) => {
  const object = new SyncObject(new FenceBench().contexts);
  for (const point of [5, 5, 2, 0]) {
    object.signalPoint(point);
    t.is(object.query(), 5);
  }
});

test('SyncObject.query, is the last point complete with all before it', (t) => {
  const { object, fences } = timeline([1, 2, 3, 4, 5]);
  t.is(object.query(), 0);
  t.is(object.queryLastSubmitted(), 5);
  fences[1].signal();
  t.is(object.query(), 0);
  fences[0].signal();
  t.is(object.query(), 2);
  fences[2].signal();
  object.signalPoint(8);
  t.is(object.query(), 3);
  t.is(object.queryLastSubmitted(), 8);
  fences[3].signal();
  fences[4].signal();
  t.is(object.query(), 8);
});

test('SyncObject.query, of points submitted out of order, after three signals, is 5', (t) => {
  const { object, fences } = timeline([1, 5, 3, 6, 7]);
  for (const fence of fences.slice(0, 3)) fence.signal();
  t.is(object.query(), 5);
});

test('SyncObject.findFence, of a point done and dropped, is a signalled stub', (t) => {
  const { object, fences } = timeline([1, 2]);
  fences[0].signal();
  t.true(object.findFence(1).isSignalled());
  t.false(object.findFence(2).isSignalled());
});

test('SyncObject.transferFrom, binary to point, adds a point with the leaves', (t) => {
  const { bench, object } = timeline([]);
  const source = new SyncObject(bench.contexts);
  const [one, two] = bench.fences(2);
  source.replaceFence(new FenceArray(bench.contexts, [one, two]));
  object.transferFrom(source, 0, 3);
  t.is(object.queryLastSubmitted(), 3);
  one.signal();
  t.is(object.query(), 0);
  two.signal();
  t.is(object.query(), 3);
});

test('SyncObject.transferFrom, point to binary, takes the node', (t) => {
  const { bench, object, fences } = timeline([1, 2]);
  const target = new SyncObject(bench.contexts);
  target.transferFrom(object, 1, 0);
  t.is(target.fence, object.findFence(1));
  t.false(target.findFence(0).isSignalled());
  fences[0].signal();
  t.true(target.findFence(0).isSignalled());
});

test('SyncObject.transferFrom, point to point, and of no point, which is EINVAL', (t) => {
  const { bench, object, fences } = timeline([1, 2]);
  const target = new SyncObject(bench.contexts);
  target.transferFrom(object, 2, 10);
  t.throws(() => target.transferFrom(object, 3, 11), { code: 'EINVAL' } as object);
  t.is(target.queryLastSubmitted(), 10);
  for (const fence of fences) fence.signal();
  t.is(target.query(), 10);
});

test('SyncObject.importSyncFile, exchanges the fence, exportSyncFile gives it back', (t) => {
  const bench = new FenceBench();
  const object = new SyncObject(bench.contexts);
  t.throws(() => object.exportSyncFile(), { code: 'EINVAL' } as object);
  const file = new SyncFile(bench.fence());
  object.importSyncFile(file);
  t.is(object.exportSyncFile().fence, file.fence);
  t.is(object.exportSyncFile().name, 'mock-line1-1');
});

test('SyncObject.exportSyncFile, of a timeline, stands for the pending fences of its chain', (t) => {
  const { object, fences } = timeline([1, 2, 3]);
  const file = object.exportSyncFile();
  t.true(file.fence instanceof FenceChain);
  t.is(file.countFences(), 3);
  fences[0].signal();
  t.is(file.countFences(), 2);
});

test('SyncObject.whenSubmitted, calls at once or with the fence that comes, once, unless forgotten', (t) => {
  const { object, bench } = timeline([1]);
  const got: string[] = [];
  t.is(
    object.whenSubmitted(1, () => got.push('first')),
    undefined,
  );
  const kept = object.whenSubmitted(3, (fence) => got.push(`kept ${fence.seqno}`));
  const forgotten = object.whenSubmitted(3, () => got.push('forgotten'));
  object.forgetSubmission(forgotten!);
  object.addPoint(bench.fence(), 2);
  t.not(kept, undefined);
  t.deepEqual(got, ['first']);
  object.addPoint(bench.fence(), 4);
  object.addPoint(bench.fence(), 5);
  t.deepEqual(got, ['first', 'kept 4']);
});

test('SyncObject.listen, notifies once when the point signals, submitted before or later', (t) => {
  const { object, bench } = timeline([]);
  let notified = 0;
  const notify = (): void => {
    notified += 1;
  };
  object.listen(7, notify);
  const fence = bench.fence();
  object.addPoint(fence, 7);
  object.listen(7, notify);
  t.is(notified, 0);
  fence.signal();
  t.is(notified, 2);
  object.signalPoint(8);
  t.is(notified, 2);
  object.listen(7, notify);
  t.is(notified, 3);
});

test('SyncObject.listen, for availability, notifies with the submission', (t) => {
  const { object, bench } = timeline([]);
  let notified = 0;
  object.listen(1, () => (notified += 1), true);
  object.addPoint(bench.fence(), 1);
  t.is(notified, 1);
});

test('SyncObject.release, leaves listeners without a fence alone, and fires those with one', (t) => {
  const { object, fences } = timeline([1]);
  const notified: number[] = [];
  object.listen(1, () => notified.push(1));
  object.listen(2, () => notified.push(2));
  object.release();
  object.signalPoint(2);
  fences[0].signal();
  t.deepEqual(notified, [1]);
});

testProp(
  'SyncObject.query, of growing points signalled in any order, is the last of the complete prefix (model)',
  [
    fc
      .uniqueArray(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 10 })
      .chain((points) =>
        fc.tuple(
          fc.constant(points.sort((a, b) => a - b)),
          fc.shuffledSubarray([...points.keys()], { minLength: points.length }),
        ),
      ),
  ],
  (t, [points, order]) => {
    const { object, fences } = timeline(points);
    let last = 0;
    for (const index of order) {
      fences[index].signal();
      const prefix = fences.findIndex((fence) => !fence.isSignalled());
      const complete = prefix === -1 ? points.length : prefix;
      const value = object.query();
      t.is(value, complete === 0 ? 0 : points[complete - 1]);
      t.true(value >= last);
      last = value;
    }
  },
);
