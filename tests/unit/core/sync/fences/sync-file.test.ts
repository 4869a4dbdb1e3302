import { FenceArray, SyncFile } from '@dmabuf-lab/core/sync';
import test from 'ava';
import { FenceBench } from './bench-fences.js';

test('SyncFile.name, without one, is made of the fence; with one, is that', (t) => {
  const bench = new FenceBench();
  const fence = bench.fence();
  t.is(new SyncFile(fence).name, 'mock-line1-1');
  t.is(new SyncFile(fence, 'mine').name, 'mine');
});

test('SyncFile.name, of 31 and 32 characters, keeps 31', (t) => {
  const fence = new FenceBench().fence();
  const name = 'abcdefghijklmnopqrstuvwxyz01234';
  t.is(new SyncFile(fence, name).name, name);
  t.is(new SyncFile(fence, `${name}5`).name, name);
});

test('SyncFile.info, of a merge, follows its fences one by one', (t) => {
  const bench = new FenceBench();
  const [one, two] = bench.fences(2);
  const merged = new SyncFile(one).merge(new SyncFile(two), 'merged', bench.contexts);
  t.like(merged.info(), { name: 'merged', status: 0 });
  one.signal(50);
  const pending = { driverName: 'mock', timelineName: 'line', status: 0, timestampNs: 0 };
  t.deepEqual(merged.info(), {
    name: 'merged',
    status: 0,
    fences: [{ ...pending, status: 1, timestampNs: 50 }, pending],
  });
  t.false(merged.poll());
  two.signal();
  t.is(merged.info().status, 1);
  t.true(merged.poll());
});

test('SyncFile.info, with an error, has the first status that is not 1', (t) => {
  const bench = new FenceBench();
  const [one, two, three] = bench.fences(3);
  const file = new SyncFile(new FenceArray(bench.contexts, [one, two, three]));
  one.signal();
  two.setError('EIO');
  two.signal();
  t.is(file.info().status, -5);
  t.is(file.status, 0);
  t.is(file.countFences(), 3);
});

test('SyncFile.merge, of two signalled ones, is one stub', (t) => {
  const bench = new FenceBench();
  const [one, two] = bench.fences(2);
  one.signal();
  two.signal();
  const info = new SyncFile(one).merge(new SyncFile(two), 'ss', bench.contexts).info();
  t.like(info, { name: 'ss', status: 1 });
  t.deepEqual(
    info.fences.map(({ driverName }) => driverName),
    ['stub'],
  );
});

test('SyncFile.merge, with itself, stands for the same fence', (t) => {
  const bench = new FenceBench();
  const file = new SyncFile(bench.fence());
  t.is(file.merge(file, 'same', bench.contexts).fence, file.fence);
});

test('SyncFile.merge, is a snapshot that later signals do not shrink', (t) => {
  const bench = new FenceBench();
  const [one, two] = bench.fences(2);
  const merged = new SyncFile(one).merge(new SyncFile(two), 'm', bench.contexts);
  one.signal();
  t.is(merged.countFences(), 2);
});

test('SyncFile.whenReadable, wakes once at the signal, not when cancelled, and not after it', (t) => {
  const fence = new FenceBench().fence();
  const file = new SyncFile(fence);
  let wakes = 0;
  const wake = (): void => {
    wakes += 1;
  };
  const cancelled = file.whenReadable(wake);
  file.whenReadable(wake);
  t.true(cancelled !== undefined && fence.removeCallback(cancelled));
  fence.signal();
  t.is(wakes, 1);
  t.is(file.whenReadable(wake), undefined);
});

test('SyncFile.setDeadline, reaches the fences of an array', (t) => {
  const bench = new FenceBench();
  const fences = bench.fences(2);
  new SyncFile(new FenceArray(bench.contexts, fences)).setDeadline(5);
  t.deepEqual(
    fences.map((fence) => fence.deadlineNs),
    [5, 5],
  );
});
