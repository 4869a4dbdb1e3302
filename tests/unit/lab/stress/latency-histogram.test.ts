import { bucketOf, describeHistogram, longestOf } from '@dmabuf-lab/lab';
import test from 'ava';

test('bucketOf, any time, lies in a bucket whose longest time is at most 1/16 longer', (t) => {
  for (let ns = 0; ns < 5e12; ns = Math.floor(ns * 1.07) + 1) {
    const bucket = bucketOf(ns);
    t.true(longestOf(bucket) >= ns, `${ns}`);
    t.true(longestOf(bucket) <= ns + ns / 16, `${ns}`);
    if (bucket > 0) t.true(longestOf(bucket - 1) < ns, `${ns}`);
  }
});

test('describeHistogram, known times, has percentiles by nearest rank', (t) => {
  const counts = Array.from({ length: bucketOf(1e9) + 1 }, () => 0);
  for (let ns = 1; ns <= 10; ns += 1) counts[bucketOf(ns)] += 1;
  t.deepEqual(describeHistogram(counts), { count: 10, p50Ns: 5, p99Ns: 10, maxNs: 10 });
  t.deepEqual(describeHistogram([0, 0]), { count: 0, p50Ns: 0, p99Ns: 0, maxNs: 0 });
});
