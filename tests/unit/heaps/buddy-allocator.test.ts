import { BuddyAllocator, MAX_PAGE_ORDER, type PageRange } from '@dmabuf-lab/heaps';
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { repeated } from '../core/constraints/arbitraries.js';

const runs = repeated(200);

/** Pages far above 32 bits of bytes, so that a 32-bit slip shows. */
const HIGH_PAGE = 2 ** 40;

/** A zone of uneven start and size, with holes. */
const zones = fc.record({
  zone: fc.record({
    firstPage: fc.tuple(fc.constantFrom(0, 0x40000, HIGH_PAGE), fc.nat(3000)).map(([base, offset]) => base + offset),
    pageCount: fc.integer({ min: 1, max: 3000 }),
  }),
  holes: fc.array(fc.record({ offset: fc.nat(3000), pageCount: fc.integer({ min: 1, max: 800 }) }), { maxLength: 3 }),
});

interface ZoneWithHoles {
  readonly zone: PageRange;
  readonly holes: readonly { readonly offset: number; readonly pageCount: number }[];
}

/** What the allocator should know, page by page: free or not. Holes and what is outside are never free. */
class NaivePages {
  readonly free = new Set<number>();

  constructor({ zone, holes }: ZoneWithHoles) {
    for (let page = zone.firstPage; page < zone.firstPage + zone.pageCount; page += 1) this.free.add(page);
    for (const hole of holes) this.take(zone.firstPage + hole.offset, hole.pageCount);
  }

  take(page: number, count: number): void {
    for (let i = 0; i < count; i += 1) this.free.delete(page + i);
  }

  give(page: number, count: number): void {
    for (let i = 0; i < count; i += 1) this.free.add(page + i);
  }

  hasAll(page: number, count: number): boolean {
    for (let i = 0; i < count; i += 1) if (!this.free.has(page + i)) return false;
    return true;
  }

  hasBlock(order: number): boolean {
    for (const page of this.free) if (page % 2 ** order === 0 && this.hasAll(page, 2 ** order)) return true;
    return false;
  }

  /** Free blocks of each order when all buddies are joined. */
  blocks(): number[] {
    const left = new Set(this.free);
    const counts = new Array<number>(MAX_PAGE_ORDER + 1).fill(0);
    for (let order = MAX_PAGE_ORDER; order >= 0; order -= 1) {
      for (const page of [...left]) {
        if (page % 2 ** order !== 0 || !left.has(page)) continue;
        const block = Array.from({ length: 2 ** order }, (_, i) => page + i);
        if (!block.every((one) => left.has(one))) continue;
        for (const one of block) left.delete(one);
        counts[order] += 1;
      }
    }
    return counts;
  }

  longest(): number {
    let longest = 0;
    let run = 0;
    let last = Number.NaN;
    for (const page of [...this.free].sort((a, b) => a - b)) {
      run = page === last + 1 ? run + 1 : 1;
      last = page;
      longest = Math.max(longest, run);
    }
    return longest;
  }
}

function allocatorOf({ zone, holes }: ZoneWithHoles): BuddyAllocator {
  const at = holes.map((hole) => ({ firstPage: zone.firstPage + hole.offset, pageCount: hole.pageCount }));
  return new BuddyAllocator(zone, at);
}

testProp(
  'BuddyAllocator, agrees with a naive model after every step, for any allocations and frees',
  [zones, fc.array(fc.tuple(fc.boolean(), fc.nat(MAX_PAGE_ORDER), fc.nat()), { maxLength: 60 })],
  (t, zone, steps) => {
    const model = new NaivePages(zone);
    const buddy = allocatorOf(zone);
    const out: { page: number; order: number }[] = [];
    t.is(buddy.pageCount, model.free.size);
    for (const [allocates, order, which] of steps) {
      if (allocates || out.length === 0) {
        const page = buddy.allocPages(order);
        t.is(page !== undefined, model.hasBlock(order), 'it finds a block exactly when there is one');
        if (page === undefined) continue;
        t.is(page % 2 ** order, 0, 'a block is aligned to its size');
        t.true(model.hasAll(page, 2 ** order), 'no page is handed out twice');
        model.take(page, 2 ** order);
        out.push({ page, order });
      } else {
        const [block] = out.splice(which % out.length, 1);
        buddy.freePages(block.page, block.order);
        model.give(block.page, 2 ** block.order);
      }
      t.is(buddy.freePageCount, model.free.size);
      t.is(buddy.largestFreeRunPages(), model.longest());
    }
    t.deepEqual(buddy.freeBlocksByOrder(), model.blocks(), 'free buddies are always joined');
    for (const { page, order } of out) buddy.freePages(page, order);
    t.deepEqual(buddy.freeBlocksByOrder(), allocatorOf(zone).freeBlocksByOrder(), 'in the end all is one again');
    t.is(buddy.largestFreeRunPages(), new NaivePages(zone).longest());
  },
  runs,
);

testProp(
  'BuddyAllocator.reserveRange, takes what is free of a range and no more, and releaseRange gives it back',
  [
    zones,
    fc.array(fc.tuple(fc.nat(4), fc.boolean()), { maxLength: 20 }),
    fc.nat(4000),
    fc.integer({ min: 1, max: 2000 }),
  ],
  (t, zone, orders, offset, pageCount) => {
    const model = new NaivePages(zone);
    const buddy = allocatorOf(zone);
    // Twice, so that blocks are handed out that were in pieces before.
    for (const round of [orders, orders.slice(0, 5)]) {
      const blocks = round.map(([order, isKept]) => ({ page: buddy.allocPages(order), order, isKept }));
      for (const { page, order, isKept } of blocks) {
        if (page === undefined) continue;
        if (isKept) model.take(page, 2 ** order);
        else buddy.freePages(page, order);
      }
    }
    const before = buddy.freeBlocksByOrder();
    t.is(buddy.largestFreeRunPages(), model.longest());
    const firstPage = zone.zone.firstPage - 500 + offset;
    const taken: number[] = [];
    for (let page = firstPage; page < firstPage + pageCount; page += 1) if (model.free.delete(page)) taken.push(page);
    t.is(buddy.reserveRange({ firstPage, pageCount }), taken.length);
    t.is(buddy.freePageCount, model.free.size);
    t.is(buddy.largestFreeRunPages(), model.longest());
    t.deepEqual(buddy.freeBlocksByOrder(), model.blocks());
    for (const page of taken) buddy.releaseRange({ firstPage: page, pageCount: 1 });
    t.deepEqual(buddy.freeBlocksByOrder(), before);
  },
  runs,
);

test('BuddyAllocator, hands out a fresh zone from its lowest page, split down to single pages', (t) => {
  const buddy = new BuddyAllocator({ firstPage: HIGH_PAGE, pageCount: 4096 });
  t.deepEqual(buddy.freeBlocksByOrder(), [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4]);
  const pages = Array.from({ length: 1024 }, () => buddy.allocPages(0));
  t.deepEqual(
    pages,
    Array.from({ length: 1024 }, (_, i) => HIGH_PAGE + i),
  );
  t.is(buddy.allocPages(10), HIGH_PAGE + 1024);
  t.is(buddy.largestFreeRunPages(), 2048);
});

test('BuddyAllocator, gives the same pages for the same calls', (t) => {
  const sequence = (): (number | undefined)[] => {
    const buddy = new BuddyAllocator({ firstPage: 77, pageCount: 2000 }, [{ firstPage: 500, pageCount: 3 }]);
    const pages = Array.from({ length: 40 }, (_, i) => buddy.allocPages(i % 5));
    for (const i of [3, 8, 13, 18]) buddy.freePages(pages[i] as number, i % 5);
    return [...pages, ...Array.from({ length: 10 }, (_, i) => buddy.allocPages(i % 4))];
  };
  t.deepEqual(sequence(), sequence());
});

test('BuddyAllocator.largestFreeRunPages, counts over the borders of blocks and sections, but not over a hole', (t) => {
  const buddy = new BuddyAllocator({ firstPage: 5, pageCount: 5000 }, [{ firstPage: 3000, pageCount: 1 }]);
  t.is(buddy.largestFreeRunPages(), 2995);
  t.is(buddy.freePageCount, 4999);
});

test('BuddyAllocator, is empty, for a zone that is all hole', (t) => {
  const buddy = new BuddyAllocator({ firstPage: 5, pageCount: 50 }, [{ firstPage: 0, pageCount: 100 }]);
  t.is(buddy.pageCount, 0);
  t.is(buddy.allocPages(0), undefined);
  t.is(buddy.largestFreeRunPages(), 0);
});

const broken = { name: 'InvariantError' };

test('BuddyAllocator.freePages, stops the program, for a double free', (t) => {
  const buddy = new BuddyAllocator({ firstPage: 0, pageCount: 1024 });
  const page = buddy.allocPages(3) as number;
  buddy.freePages(page, 3);
  t.throws(() => buddy.freePages(page, 3), broken);
  t.is(buddy.freePageCount, 1024);
});

test('BuddyAllocator.freePages, stops the program, for a wrong order, a page inside a block, a hole or a page outside', (t) => {
  const buddy = new BuddyAllocator({ firstPage: 0, pageCount: 1000 }, [{ firstPage: 900, pageCount: 10 }]);
  const page = buddy.allocPages(3) as number;
  for (const [at, order] of [
    [page, 2],
    [page, 4],
    [page + 1, 3],
    [page + 4, 2],
    [900, 0],
    [1000, 0],
    [-1, 0],
    [5000, 0],
  ]) {
    t.throws(() => buddy.freePages(at, order), broken, `page ${at}, order ${order}`);
  }
  t.is(buddy.freePageCount, 982);
});

test('BuddyAllocator.releaseRange, stops the program, for pages that are free or out', (t) => {
  const buddy = new BuddyAllocator({ firstPage: 0, pageCount: 16 });
  const page = buddy.allocPages(0) as number;
  t.throws(() => buddy.releaseRange({ firstPage: page, pageCount: 1 }), broken);
  t.throws(() => buddy.releaseRange({ firstPage: page + 1, pageCount: 1 }), broken);
});
