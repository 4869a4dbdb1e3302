import { summarizeLatency } from '@dmabuf-lab/lab';
import test from 'ava';

test('summarizeLatency: no values give zeros', (t) => {
  t.deepEqual(summarizeLatency([]), { count: 0, minNs: 0, meanNs: 0, p50Ns: 0, p99Ns: 0, maxNs: 0 });
});

test('summarizeLatency: one value is all of them', (t) => {
  t.deepEqual(summarizeLatency([7]), { count: 1, minNs: 7, meanNs: 7, p50Ns: 7, p99Ns: 7, maxNs: 7 });
});

test('summarizeLatency: the median of an even number of values is the lower middle one, order does not matter', (t) => {
  // Sorted: 10 20 30 1000; rank of the median ceil(0.5 × 4) = 2; mean 1060 / 4 = 265.
  const expected = { count: 4, minNs: 10, meanNs: 265, p50Ns: 20, p99Ns: 1000, maxNs: 1000 };
  t.deepEqual(summarizeLatency([1000, 30, 10, 20]), expected);
});

test('summarizeLatency: the 99th percentile leaves out one value in a hundred, and none in ninety-nine', (t) => {
  const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);
  t.is(summarizeLatency(upTo(99)).p99Ns, 99);
  t.is(summarizeLatency(upTo(100)).p99Ns, 99);
  t.is(summarizeLatency(upTo(101)).p99Ns, 100);
  t.is(summarizeLatency(upTo(1000)).p99Ns, 990);
  t.is(summarizeLatency(upTo(1000)).p50Ns, 500);
});

test('summarizeLatency: values are compared as numbers, and the mean is rounded', (t) => {
  // As text, 9 would be greater than 10. Mean 33 / 4 = 8.25 and 34 / 4 = 8.5.
  t.is(summarizeLatency([9, 10, 5, 9]).maxNs, 10);
  t.is(summarizeLatency([9, 10, 5, 9]).meanNs, 8);
  t.is(summarizeLatency([9, 10, 6, 9]).meanNs, 9);
});

test('summarizeLatency: the input stays as it was', (t) => {
  const ns = [3, 1, 2];
  summarizeLatency(ns);
  t.deepEqual(ns, [3, 1, 2]);
});
