import { ContiguousAllocator } from '@dmabuf-lab/heaps';
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { repeated } from '../core/constraints/arbitraries.js';

/** 64 MiB at 1 GiB. */
const region = { firstPage: 0x40000, pageCount: 16384 };

/** Allocates runs of that size until there is no room. */
function fill(allocator: ContiguousAllocator, sizeBytes: number): number[] {
  const pages: number[] = [];
  for (;;) {
    const page = allocator.allocRun(Math.ceil(sizeBytes / 4096));
    if (page === undefined) return pages;
    pages.push(page);
  }
}

for (const { what, sizeBytes, fits } of [
  { what: '8 MiB', sizeBytes: 8 * 2 ** 20, fits: 8 },
  { what: '1080p NV12', sizeBytes: 3110400, fits: 21 },
  { what: '4K NV12', sizeBytes: 12441600, fits: 5 },
]) {
  test(`ContiguousAllocator, holds ${fits} buffers of ${what} and no more, in 64 MiB`, (t) => {
    t.is(fill(new ContiguousAllocator(region), sizeBytes).length, fits);
  });
}

test('ContiguousAllocator, leaves 184 free pages in runs of at most 23, for XRGB 1080p aligned to 1 MiB (T23)', (t) => {
  const allocator = new ContiguousAllocator(region);
  const pages = fill(allocator, 8294400);
  t.deepEqual(
    pages,
    Array.from({ length: 8 }, (_, i) => region.firstPage + 2048 * i),
  );
  t.is(allocator.freePageCount, 184);
  t.is(allocator.largestFreeRunPages(), 23);
});

test('ContiguousAllocator, leaves a tail of 135 pages, for XRGB 1080p aligned to 64 KiB (T23)', (t) => {
  const allocator = new ContiguousAllocator(region, 4);
  const pages = fill(allocator, 8294400);
  t.deepEqual(
    pages,
    Array.from({ length: 8 }, (_, i) => region.firstPage + 2032 * i),
  );
  t.is(allocator.freePageCount, 184);
  t.is(allocator.largestFreeRunPages(), 135);
});

test('ContiguousAllocator.alignmentPages, is the size rounded up to a power of two, up to its limit', (t) => {
  const allocator = new ContiguousAllocator(region);
  const sizes = [1, 2, 3, 4, 5, 128, 129, 255, 256, 257, 2025, 16384];
  t.deepEqual(
    sizes.map((pages) => allocator.alignmentPages(pages)),
    [1, 2, 4, 4, 8, 128, 256, 256, 256, 256, 256, 256],
  );
});

test('ContiguousAllocator, aligns the page number and not the offset, in a region of uneven start', (t) => {
  const allocator = new ContiguousAllocator({ firstPage: 3, pageCount: 600 });
  t.is(allocator.allocRun(256), 256);
  t.is(allocator.allocRun(256), undefined, 'only 91 pages are left behind it, and 253 before it');
  t.is(allocator.allocRun(4), 4, 'a small one still fits before it');
});

test('ContiguousAllocator, joins free neighbours, whatever the order of frees', (t) => {
  for (const order of [
    [0, 1, 2],
    [2, 1, 0],
    [0, 2, 1],
    [1, 0, 2],
  ]) {
    const allocator = new ContiguousAllocator({ firstPage: 0, pageCount: 48 });
    const pages = [16, 16, 16].map((count) => allocator.allocRun(count) as number);
    t.is(allocator.largestFreeRunPages(), 0);
    for (const i of order) allocator.freeRun(pages[i], 16);
    t.is(allocator.largestFreeRunPages(), 48);
  }
});

test('ContiguousAllocator.freeRun, stops the program, for a double free, a wrong length or a page that starts none', (t) => {
  const allocator = new ContiguousAllocator({ firstPage: 0, pageCount: 48 });
  const page = allocator.allocRun(8) as number;
  for (const [at, count] of [
    [page, 4],
    [page + 1, 7],
    [16, 8],
  ]) {
    t.throws(() => allocator.freeRun(at, count), { name: 'InvariantError' });
  }
  allocator.freeRun(page, 8);
  t.throws(() => allocator.freeRun(page, 8), { name: 'InvariantError' });
  t.is(allocator.freePageCount, 48);
});

testProp(
  'ContiguousAllocator, finds the first aligned free run there is, for any allocations and frees',
  [
    fc.record({ firstPage: fc.nat(600).map((n) => 2 ** 40 + n), pageCount: fc.integer({ min: 1, max: 600 }) }),
    fc.nat(6),
    fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 120 }), fc.nat()), { minLength: 1, maxLength: 40 }),
  ],
  (t, range, alignmentOrder, steps) => {
    const allocator = new ContiguousAllocator(range, alignmentOrder);
    const isFree = new Array<boolean>(range.pageCount).fill(true);
    const mark = (page: number, count: number, free: boolean): void => {
      isFree.fill(free, page - range.firstPage, page - range.firstPage + count);
    };
    const firstFit = (count: number): number | undefined => {
      const alignment = allocator.alignmentPages(count);
      for (let i = 0; i + count <= range.pageCount; i += 1) {
        const isAligned = (range.firstPage + i) % alignment === 0;
        if (isAligned && isFree.slice(i, i + count).every(Boolean)) return range.firstPage + i;
      }
      return undefined;
    };
    const out: { page: number; count: number }[] = [];
    for (const [allocates, count, which] of steps) {
      if (allocates || out.length === 0) {
        const expected = firstFit(count);
        const page = allocator.allocRun(count);
        t.is(page, expected);
        if (page === undefined) continue;
        mark(page, count, false);
        out.push({ page, count });
      } else {
        const [run] = out.splice(which % out.length, 1);
        allocator.freeRun(run.page, run.count);
        mark(run.page, run.count, true);
      }
      const stretches = isFree
        .map((free) => (free ? 'f' : ' '))
        .join('')
        .split(' ');
      t.is(allocator.largestFreeRunPages(), Math.max(...stretches.map((stretch) => stretch.length)));
      t.is(allocator.freePageCount, isFree.filter(Boolean).length);
    }
  },
  repeated(200),
);
