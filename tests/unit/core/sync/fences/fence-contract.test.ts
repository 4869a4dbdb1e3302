import { FenceArray, FenceContract, mergeFences } from '@dmabuf-lab/core/sync';
import test from 'ava';
import { FenceBench } from './bench-fences.js';

function scene() {
  const bench = new FenceBench();
  const contract = new FenceContract();
  return { bench, gpu: contract.path('gpu job 1'), next: contract.path('gpu job 2') };
}

test('SignallingPath.mightLock, before it publishes and after it signals, is fine; between, is EDEADLK', (t) => {
  const { bench, gpu } = scene();
  const fence = bench.fence();
  t.notThrows(() => gpu.mightLock('buffer 1', 'prepare'));
  gpu.publish(fence, 'submit');
  t.true(gpu.isCritical);
  t.like(
    t.throws(() => gpu.mightLock('buffer 2', 'run')),
    {
      code: 'EDEADLK',
      message: 'Cannot lock buffer 2 at run: on path gpu job 1 it has yet to signal mock-line1-1, published at submit',
      details: { path: 'gpu job 1', requested: 'run', published: 'submit' },
    },
  );
  fence.signal();
  t.notThrows(() => gpu.mightLock('buffer 2', 'finish'));
  t.false(gpu.isCritical);
});

test('SignallingPath.mightReclaim, with a published fence, is EDEADLK', (t) => {
  const { bench, gpu } = scene();
  t.notThrows(() => gpu.mightReclaim('prepare'));
  gpu.publish(bench.fence(), 'submit');
  t.like(
    t.throws(() => gpu.mightReclaim('run')),
    { code: 'EDEADLK', op: 'fs_reclaim_acquire' },
  );
});

test('SignallingPath, another one locks meanwhile, which is fine', (t) => {
  const { bench, gpu, next } = scene();
  gpu.publish(bench.fence(), 'submit');
  t.notThrows(() => next.mightLock('buffer 1', 'prepare'));
  t.notThrows(() => next.mightReclaim('prepare'));
});

test('SignallingPath.beginSignalling, binds until it ends', (t) => {
  const { gpu } = scene();
  const section = gpu.beginSignalling('interrupt');
  t.like(
    t.throws(() => gpu.mightLock('buffer 1', 'handler')),
    { code: 'EDEADLK' },
  );
  gpu.endSignalling(section);
  t.notThrows(() => gpu.mightLock('buffer 1', 'handler'));
  t.throws(() => gpu.endSignalling(section), { name: 'InvariantError' });
});

test('SignallingPath.mightWait, for another fence is fine, for its own is EDEADLK, in containers too', (t) => {
  const { bench, gpu } = scene();
  const [own, foreign] = bench.fences(2);
  gpu.publish(own, 'submit');
  t.notThrows(() => gpu.mightWait(foreign, 'run'));
  const both = new FenceArray(bench.contexts, [foreign, own]);
  for (const fence of [own, both, mergeFences(bench.contexts, [own, foreign])]) {
    t.like(
      t.throws(() => gpu.mightWait(fence, 'run')),
      { code: 'EDEADLK', op: 'dma_fence_might_wait' },
    );
  }
  own.signal();
  t.notThrows(() => gpu.mightWait(own, 'done'));
});

test('SignallingPath.mightWait, for a fence that comes after its own, is EDEADLK with both places', (t) => {
  const { bench, gpu, next } = scene();
  const [first, second] = bench.fences(2);
  gpu.publish(first, 'submit 1');
  next.publish(second, 'submit 2', [first]);
  t.notThrows(() => next.mightWait(first, 'job 2 starts'));
  t.like(
    t.throws(() => gpu.mightWait(second, 'job 1 runs')),
    {
      code: 'EDEADLK',
      details: { path: 'gpu job 1', requested: 'job 1 runs', published: 'submit 1' },
    },
  );
});

test('SignallingPath.beginWait, closing a circle of two paths, is EDEADLK; after endWait, is not', (t) => {
  const { bench, gpu, next } = scene();
  const [first, second] = bench.fences(2);
  gpu.publish(first, 'submit 1');
  next.publish(second, 'submit 2');
  const waiting = gpu.beginWait(second, 'job 1 waits');
  t.like(
    t.throws(() => next.beginWait(first, 'job 2 waits')),
    { code: 'EDEADLK' },
  );
  gpu.endWait(waiting);
  t.notThrows(() => next.beginWait(first, 'job 2 waits'));
});

test('SignallingPath.publish, of one fence twice, breaks an invariant', (t) => {
  const { bench, gpu, next } = scene();
  const fence = bench.fence();
  gpu.publish(fence, 'here');
  t.throws(() => next.publish(fence, 'there'), { name: 'InvariantError' });
});
