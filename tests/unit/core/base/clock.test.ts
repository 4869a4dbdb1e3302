import { firstTickAt, RandomStream, tickTime } from '@dmabuf-lab/core/base';
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';

test('tickTime, of 30000/1001 Hz, is floor(n * 10^9 * den / num)', (t) => {
  const rate = { num: 30_000, den: 1001 };
  t.deepEqual(
    [0, 1, 2, 3, 30_000].map((n) => tickTime(n, rate)),
    [0, 33_366_666, 66_733_333, 100_100_000, 1_001_000_000_000],
  );
});

testProp(
  'tickTime, for any rate, is what exact arithmetic gives',
  [fc.nat(10_000_000), fc.integer({ min: 1, max: 120_000 }), fc.integer({ min: 1, max: 1001 })],
  (t, n, num, den) => {
    const exact = (BigInt(n) * 1_000_000_000n * BigInt(den)) / BigInt(num);
    fc.pre(exact < 2n ** 53n); // 104 days
    t.is(BigInt(tickTime(n, { num, den })), exact);
  },
);

testProp(
  'firstTickAt, for any time, is the first tick not before it',
  [fc.nat(1_000_000_000_000), fc.integer({ min: 1, max: 240 })],
  (t, time, num) => {
    const n = firstTickAt(time, { num, den: 1 });
    t.true(tickTime(n, { num, den: 1 }) >= time);
    t.true(n === 0 || tickTime(n - 1, { num, den: 1 }) < time);
  },
);

test('RandomStream, of the same seed and name, draws the same; of another name or seed, does not', (t) => {
  const draw = (seed: number, name: string): number[] => {
    const stream = new RandomStream(seed, name);
    return [stream.uniform(), stream.uniform(), stream.uniform()];
  };
  t.deepEqual(draw(1, 'a'), draw(1, 'a'));
  t.notDeepEqual(draw(1, 'a'), draw(1, 'b'));
  t.notDeepEqual(draw(1, 'a'), draw(2, 'a'));
});

testProp(
  'RandomStream.integer, for any seed and bound, lies below the bound',
  [fc.nat(), fc.integer({ min: 1, max: 1_000_000 })],
  (t, seed, bound) => {
    const value = new RandomStream(seed, 'x').integer(bound);
    t.true(Number.isInteger(value) && value >= 0 && value < bound);
  },
);

test('RandomStream.exponential, over many draws, has the mean asked for', (t) => {
  const stream = new RandomStream(7, 'gaps');
  let sum = 0;
  for (let i = 0; i < 100_000; i += 1) sum += stream.exponential(10);
  t.true(Math.abs(sum / 100_000 - 10) < 0.2);
});
