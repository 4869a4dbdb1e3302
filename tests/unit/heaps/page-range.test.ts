import { orderOfPages, pageRangeOf, windowOfPages, withoutHoles } from '@dmabuf-lab/heaps';
import test from 'ava';

test('orderOfPages, is the order of the smallest block that holds the pages', (t) => {
  t.deepEqual(
    [1, 2, 3, 4, 5, 256, 257, 1024, 2 ** 29, 2 ** 29 + 1].map(orderOfPages),
    [0, 1, 2, 2, 3, 8, 9, 10, 29, 30],
  );
});

test('withoutHoles, leaves what no hole covers, for holes that overlap, touch, are out of order or reach outside', (t) => {
  const zone = { firstPage: 100, pageCount: 100 };
  const left = (...holes: [number, number][]): number[][] =>
    withoutHoles(
      zone,
      holes.map(([from, to]) => ({ firstPage: from, pageCount: to - from })),
    ).map((range) => [range.firstPage, range.firstPage + range.pageCount]);
  t.deepEqual(left(), [[100, 200]]);
  t.deepEqual(left([150, 160], [120, 130]), [
    [100, 120],
    [130, 150],
    [160, 200],
  ]);
  t.deepEqual(left([120, 150], [130, 140], [150, 160]), [
    [100, 120],
    [160, 200],
  ]);
  t.deepEqual(left([50, 110], [190, 300]), [[110, 190]]);
  t.deepEqual(left([0, 50], [200, 300]), [[100, 200]]);
  t.deepEqual(left([0, 300]), []);
});

test('pageRangeOf, is undone by windowOfPages, above 4 GiB too', (t) => {
  const window = { base: 2 ** 40 + 4096, sizeBytes: 2 ** 33 };
  t.deepEqual(windowOfPages(pageRangeOf(window, 'a window')), window);
});

test('pageRangeOf, fails with EINVAL, for what is not whole pages or empty', (t) => {
  for (const [base, sizeBytes] of [
    [1, 4096],
    [0, 1],
    [0, 0],
    [-4096, 4096],
    [Number.NaN, 4096],
    [0, Number.POSITIVE_INFINITY],
  ]) {
    t.throws(() => pageRangeOf({ base, sizeBytes }, 'a window'), { code: 'EINVAL' }, `${base}, ${sizeBytes}`);
  }
});
