import { FenceArray } from '@dmabuf-lab/core/sync';
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { FenceBench } from './bench-fences.js';

for (const awaited of [true, false]) {
  const how = awaited ? 'awaited' : 'polled';

  test(`FenceArray of all, ${how}, signals with the last member`, (t) => {
    const bench = new FenceBench();
    const [one, two] = bench.fences(2);
    const array = new FenceArray(bench.contexts, [one, two]);
    if (awaited) array.enableSignalling();
    two.signal();
    t.is(array.status, 0);
    one.signal();
    t.is(array.status, 1);
  });

  test(`FenceArray of any, ${how}, signals with the first member`, (t) => {
    const bench = new FenceBench();
    const [one, two] = bench.fences(2);
    const array = new FenceArray(bench.contexts, [one, two], { signalOnAny: true });
    if (awaited) array.enableSignalling();
    t.is(array.status, 0);
    two.signal();
    t.is(array.status, 1);
    one.signal();
    t.is(array.status, 1);
  });
}

test('FenceArray, awaited, ends with the first error among its members', (t) => {
  const bench = new FenceBench();
  const [one, two, three] = bench.fences(3);
  const array = new FenceArray(bench.contexts, [one, two, three]);
  array.enableSignalling();
  one.signal();
  three.setError('EIO');
  three.signal();
  two.setError('ETIMEDOUT');
  two.signal();
  t.is(array.status, -5);
});

test('FenceArray, awaited late, takes errors of members that have signalled in their order', (t) => {
  const bench = new FenceBench();
  const [one, two] = bench.fences(2);
  two.setError('EIO');
  two.signal();
  one.setError('ENOENT');
  one.signal();
  const array = new FenceArray(bench.contexts, [one, two]);
  t.false(array.enableSignalling());
  t.is(array.status, -2);
});

test('FenceArray, only polled, ends without the errors of its members, as in Linux', (t) => {
  const bench = new FenceBench();
  const fence = bench.fence();
  const array = new FenceArray(bench.contexts, [fence]);
  fence.setError('EIO');
  fence.signal();
  t.is(array.status, 1);
});

test('FenceArray of any, after its signal, ignores the errors of the others', (t) => {
  const bench = new FenceBench();
  const [one, two] = bench.fences(2);
  const array = new FenceArray(bench.contexts, [one, two], { signalOnAny: true });
  array.enableSignalling();
  one.signal();
  two.setError('EIO');
  two.signal();
  t.is(array.status, 1);
});

test('FenceArray, empty or of containers, breaks an invariant', (t) => {
  const bench = new FenceBench();
  t.throws(() => new FenceArray(bench.contexts, []), { name: 'InvariantError' });
  const inner = new FenceArray(bench.contexts, bench.fences(2));
  t.throws(() => new FenceArray(bench.contexts, [inner]), { name: 'InvariantError' });
});

testProp(
  'FenceArray, in any order of signals, awaited at any time, signals with the last or the first (model)',
  [
    fc.integer({ min: 1, max: 8 }).chain((n) => fc.shuffledSubarray([...Array(n).keys()], { minLength: n })),
    fc.nat({ max: 8 }),
    fc.boolean(),
  ],
  (t, order, awaitAt, signalOnAny) => {
    const bench = new FenceBench();
    const fences = bench.fences(order.length);
    const array = new FenceArray(bench.contexts, fences, { signalOnAny });
    order.forEach((member, step) => {
      if (step === awaitAt) array.enableSignalling();
      t.is(array.isSignalled(), signalOnAny && step > 0);
      fences[member].signal();
    });
    t.true(array.isSignalled());
  },
);
