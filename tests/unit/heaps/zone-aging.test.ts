import { RandomStream } from '@dmabuf-lab/core/base';
import { planAging, smallestAgingOrder } from '@dmabuf-lab/heaps';
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { repeated } from '../core/constraints/arbitraries.js';

const region = [{ firstPage: 4096, pageCount: 4096 }];
const pagesIn = (ranges: readonly { pageCount: number }[]): number =>
  ranges.reduce((sum, range) => sum + range.pageCount, 0);

testProp(
  'planAging, frees exactly so many pages of the region in runs that are short enough, for all that fits',
  [fc.integer({ min: 1, max: 10 }), fc.double({ min: 0, max: 1, noNaN: true }), fc.integer()],
  (t, order, fraction, seed) => {
    const most = 4096 - 4096 / 2 ** order;
    const wanted = Math.floor(most * fraction);
    const free = planAging(region, wanted, order, new RandomStream(seed, 'aged'));
    t.is(pagesIn(free), wanted);
    let [end, run] = [4096, 0];
    for (const { firstPage, pageCount } of free) {
      t.true(firstPage >= end && firstPage + pageCount <= 8192, 'in rising order, inside');
      run = firstPage === end ? run + pageCount : pageCount;
      end = firstPage + pageCount;
      t.true(run <= 2 ** order);
    }
    t.true(end < 8192, 'what lies behind the region does not make a run longer');
  },
  repeated(200),
);

test('planAging, fits up to the last page and fails with EINVAL for one more', (t) => {
  for (const [order, most] of [
    [0, 2048],
    [1, 2048],
    [4, 3840],
    [10, 4092],
  ]) {
    const random = new RandomStream(1, 'aged');
    t.is(pagesIn(planAging(region, most, order, random)), most);
    t.throws(() => planAging(region, most + 1, order, random), { code: 'EINVAL' });
  }
});

test('planAging, spreads what stays free over the whole region', (t) => {
  const quarters = [0, 0, 0, 0];
  for (const { firstPage, pageCount } of planAging(region, 1024, 4, new RandomStream(1, 'aged'))) {
    quarters[Math.floor((firstPage - 4096) / 1024)] += pageCount;
  }
  for (const pages of quarters) t.true(pages > 128 && pages < 384, `${quarters}`);
});

test('smallestAgingOrder, is 4 or as much more as it takes', (t) => {
  t.deepEqual(
    [0, 3840, 3841, 3968, 3969, 4092, 4096].map((pages) => smallestAgingOrder(region, pages)),
    [4, 4, 5, 5, 6, 10, 10],
  );
});
