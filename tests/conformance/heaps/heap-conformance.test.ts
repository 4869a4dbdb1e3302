/** One suite over every heap: what the port `DmaHeap` promises. */
import { physAddr, RandomStream } from '@dmabuf-lab/core/base';
import { checkHeapTraits } from '@dmabuf-lab/core/constraints';
import type { DmaHeap, HeapAllocation } from '@dmabuf-lab/core/dma-buf';
import { PAGE_SIZE, PhysicalMemory } from '@dmabuf-lab/core/memory';
import {
  CarveoutHeap,
  ChunkHeap,
  CmaHeap,
  DeviceLocalHeap,
  PageZones,
  ProtectedHeap,
  SystemContigHeap,
  SystemHeap,
} from '@dmabuf-lab/heaps';
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { repeated } from '../../unit/core/constraints/arbitraries.js';

const MiB = 2 ** 20;
/** Above 4 GiB, so that a 32-bit slip shows. */
const BASE = 6 * 2 ** 30;

interface HeapUnderTest {
  readonly what: string;
  readonly make: (memory: PhysicalMemory) => DmaHeap;
  /** It keeps pages back between buffers, zeroed: which come next, and whether they are dirty, is its business. */
  readonly keepsPages?: boolean;
}

const zone = { base: BASE, sizeBytes: 16 * MiB };
const system = (memory: PhysicalMemory): SystemHeap => new SystemHeap('system', memory, zone);

const heaps: readonly HeapUnderTest[] = [
  { what: 'SystemHeap', make: system },
  {
    what: 'SystemHeap of uneven size with holes',
    make: (memory) =>
      new SystemHeap('system', memory, {
        base: BASE + 3 * PAGE_SIZE,
        sizeBytes: 12 * MiB + 5 * PAGE_SIZE,
        holes: [
          { offset: 4 * MiB, sizeBytes: 2 * MiB },
          { offset: PAGE_SIZE, sizeBytes: PAGE_SIZE },
        ],
      }),
  },
  {
    what: 'aged SystemHeap',
    make: (memory) => {
      const heap = system(memory);
      heap.age({ keep: 0.5, regionBytes: 8 * MiB, random: new RandomStream(3, 'aged') });
      return heap;
    },
  },
  {
    what: 'SystemHeap aged to single pages',
    make: (memory) => {
      const heap = system(memory);
      heap.age({ keep: 0.5, largestFreeOrder: 0, random: new RandomStream(3, 'aged') });
      return heap;
    },
  },
  { what: 'CmaHeap', make: (memory) => new CmaHeap('cma', memory, zone) },
  {
    what: 'CmaHeap of uneven start',
    make: (memory) => new CmaHeap('cma', memory, { base: BASE + 5 * PAGE_SIZE, sizeBytes: 11 * MiB }, 4),
  },
  { what: 'CarveoutHeap', make: (memory) => new CarveoutHeap('carveout', memory, zone) },
  { what: 'ProtectedHeap', make: (memory) => new ProtectedHeap('protected', memory, zone) },
  { what: 'ChunkHeap', make: (memory) => new ChunkHeap('chunk', memory, zone, { chunkBytes: 64 * 1024 }) },
  {
    what: 'ChunkHeap of uneven start',
    make: (memory) => {
      const region = { base: BASE + 3 * PAGE_SIZE, sizeBytes: 9 * MiB };
      return new ChunkHeap('chunk', memory, region, { chunkBytes: 8192 });
    },
  },
  { what: 'SystemContigHeap', make: (memory) => new SystemContigHeap('contig', memory, zone) },
  {
    what: 'DeviceLocalHeap',
    make: (memory) => new DeviceLocalHeap('vram', memory, zone, { owner: 'gpu', visibleBytes: 4 * MiB }),
  },
  {
    what: 'DeviceLocalHeap without a BAR',
    make: (memory) => new DeviceLocalHeap('vram', memory, zone, { owner: 'gpu', visibleBytes: 0 }),
  },
  {
    what: 'SystemHeap with a pool',
    make: (memory) => pooled(memory, { limitBytes: 4 * MiB, fillBytes: 2 * MiB }),
    keepsPages: true,
  },
  {
    what: 'SystemHeap with deferred free',
    make: (memory) => new SystemHeap('system', memory, zone, { deferredFree: true }),
    keepsPages: true,
  },
  {
    what: 'uncached SystemHeap with a pool and deferred free',
    make: (memory) => {
      const pool = { limitBytes: MiB, fillBytes: MiB };
      const heap = new SystemHeap('system', memory, zone, { pool, deferredFree: true, cache: 'uncached' });
      heap.fillPool();
      return heap;
    },
    keepsPages: true,
  },
  {
    what: 'SystemHeap beside another that has pooled half of the pages',
    make: (memory) => {
      const zones = new PageZones('dram', memory, [zone]);
      const pool = { limitBytes: 8 * MiB, fillBytes: 8 * MiB };
      new SystemHeap('other', memory, zones, { pool }).fillPool();
      return new SystemHeap('system', memory, zones);
    },
    keepsPages: true,
  },
];

function pooled(memory: PhysicalMemory, pool: { limitBytes: number; fillBytes: number }): SystemHeap {
  const heap = new SystemHeap('system', memory, zone, { pool });
  heap.fillPool();
  return heap;
}

/** What an allocation takes from its heap. */
const takenBy = ({ takenBytes, sgTable }: HeapAllocation): number => takenBytes ?? sgTable.lengthBytes;

/** The books, without what a pool has seen on the way. */
const booksOf = (heap: DmaHeap) => {
  const { sizeBytes, usedBytes, freeBytes, allocations } = heap.stats();
  return { sizeBytes, usedBytes, freeBytes, allocations };
};

/** Untouched memory costs nothing, so each heap gets one of its own. */
function prepare({ make }: HeapUnderTest): { memory: PhysicalMemory; heap: DmaHeap } {
  const memory = PhysicalMemory.create([{ name: 'dram', base: BASE, sizeBytes: 16 * MiB }]);
  return { memory, heap: make(memory) };
}

const pagesOf = (allocation: HeapAllocation): number[] =>
  allocation.sgTable.runs.flatMap((run) =>
    Array.from({ length: run.lengthBytes / PAGE_SIZE }, (_, i) => run.address / PAGE_SIZE + i),
  );

function isFilledWith(memory: PhysicalMemory, allocation: HeapAllocation, value: number): boolean {
  return allocation.sgTable.runs.every((run) => isAll(memory.view(run.address, run.lengthBytes), value));
}

/** Whether all bytes are the same, compared in one piece: a callback for each byte of every heap takes most of a minute. */
function isAll({ buffer, byteOffset, length }: Uint8Array, value: number): boolean {
  return Buffer.from(buffer, byteOffset, length).equals(Buffer.alloc(length, value));
}

/** Of memory that is otherwise filled with 0xa5. */
function zeroedBytes(memory: PhysicalMemory, t: { fail(message: string): void }): number {
  let zeroed = 0;
  for (let at = 0; at < 16 * MiB; at += PAGE_SIZE) {
    const page = memory.view(physAddr(BASE + at), PAGE_SIZE);
    if (isAll(page, 0)) zeroed += PAGE_SIZE;
    else if (!isAll(page, 0xa5)) t.fail(`page at ${at} is zeroed in part`);
  }
  return zeroed;
}

const steps = fc.array(
  fc.tuple(fc.boolean(), fc.oneof(fc.integer({ min: 1, max: 20_000 }), fc.integer({ min: 1, max: 3 * MiB })), fc.nat()),
  { maxLength: 40 },
);

for (const under of heaps) {
  const { what } = under;

  test(`${what}, zeroes its pages and no others, when it is asked to`, (t) => {
    const { memory, heap } = prepare(under);
    if (!under.keepsPages) memory.fill(physAddr(BASE), 0xa5, 16 * MiB);
    const sizes = [1, MiB, 5 * PAGE_SIZE, 3110400];
    const buffers = sizes.map((sizeBytes) => heap.allocate(sizeBytes, { zero: true }));
    for (const buffer of buffers) t.true(isFilledWith(memory, buffer, 0));
    if (under.keepsPages) return;
    t.is(zeroedBytes(memory, t), heap.stats().usedBytes);
  });

  test(`${what}, zeroes pages again on reuse, and leaves them as they are when it is not asked to`, (t) => {
    const { memory, heap } = prepare(under);
    const first = heap.allocate(MiB, { zero: true });
    for (const run of first.sgTable.runs) memory.fill(run.address, 0x5a, run.lengthBytes);
    heap.free(first);
    if (!under.keepsPages) {
      const second = heap.allocate(MiB, { zero: false });
      t.deepEqual(pagesOf(second).sort(), pagesOf(first).sort(), 'the same pages are handed out again');
      t.true(isFilledWith(memory, second, 0x5a));
      heap.free(second);
    }
    // Whatever it keeps: every page there is comes out zeroed.
    while (heap.stats().freeBytes > 0) t.true(isFilledWith(memory, heap.allocate(PAGE_SIZE, { zero: true }), 0));
  });

  test(`${what}, fails with ENOMEM and takes nothing, for more than is free`, (t) => {
    const { heap } = prepare(under);
    const kept = heap.allocate(3 * PAGE_SIZE, { zero: false });
    const before = heap.stats();
    const error = t.throws(() => heap.allocate(before.freeBytes + 1, { zero: true }), { code: 'ENOMEM' });
    const { details } = error as unknown as { details: Record<string, unknown> };
    t.like(details, {
      requestedBytes: before.freeBytes + 1,
      freeBytes: before.freeBytes,
      largestFreeRunBytes: before.largestFreeRunBytes,
    });
    t.deepEqual(heap.stats(), before);
    heap.free(kept);
    t.is(heap.stats().usedBytes, 0);
  });

  test(`${what}, hands out every page there is, one by one, and takes them all back`, (t) => {
    const { heap } = prepare(under);
    const before = heap.stats();
    const all: HeapAllocation[] = [];
    for (let left = before.freeBytes; left > 0; left -= takenBy(all[all.length - 1])) {
      all.push(heap.allocate(1, { zero: false }));
    }
    t.throws(() => heap.allocate(1, { zero: false }), { code: 'ENOMEM' });
    t.is(new Set(all.flatMap(pagesOf)).size, all.length);
    t.like(heap.stats(), {
      freeBytes: 0,
      largestFreeRunBytes: 0,
      usedBytes: before.freeBytes,
      allocations: all.length,
    });
    for (const allocation of all) heap.free(allocation);
    t.like(heap.stats(), { usedBytes: 0, freeBytes: before.freeBytes, peakBytes: before.freeBytes, allocations: 0 });
    if (!under.keepsPages) t.deepEqual(heap.stats(), { ...before, peakBytes: before.freeBytes });
  });

  test(`${what}, fails with EINVAL and changes nothing, for a double free`, (t) => {
    const { heap } = prepare(under);
    const kept = heap.allocate(9000, { zero: false });
    const allocation = heap.allocate(9000, { zero: false });
    heap.free(allocation);
    const before = heap.stats();
    t.throws(() => heap.free(allocation), { code: 'EINVAL' });
    t.deepEqual(heap.stats(), before);
    heap.free(kept);
  });

  test(`${what}, fails with EINVAL, for the allocation of another heap, even of the same name`, (t) => {
    const [{ heap }, { heap: other }] = [prepare(under), prepare(under)];
    const foreign = other.allocate(9000, { zero: false });
    heap.allocate(9000, { zero: false });
    t.throws(() => heap.free(foreign), { code: 'EINVAL' });
    t.is(heap.stats().allocations, 1);
    other.free(foreign);
  });

  test(`${what}, fails with EINVAL, for a size that is no positive integer`, (t) => {
    const { heap } = prepare(under);
    for (const bad of [0, -4096, 1.5, Number.NaN]) {
      t.throws(() => heap.allocate(bad, { zero: true }), { code: 'EINVAL' }, String(bad));
    }
    t.is(heap.stats().allocations, 0);
  });

  testProp(
    `${what}, keeps its traits and its books, for any allocations and frees`,
    [steps],
    (t, wanted) => {
      const { heap } = prepare(under);
      const fresh = heap.stats();
      const live = new Map<HeapAllocation, number[]>();
      const taken = new Set<number>();
      let [used, peak] = [0, 0];
      for (const [allocates, sizeBytes, which] of wanted) {
        if (allocates || live.size === 0) {
          const before = heap.stats();
          const traits = heap.traits(sizeBytes);
          t.deepEqual(checkHeapTraits(traits), []);
          let allocation: HeapAllocation;
          try {
            allocation = heap.allocate(sizeBytes, { zero: false });
          } catch (error) {
            t.is((error as { code?: string }).code, 'ENOMEM');
            t.deepEqual(booksOf(heap), { ...booksOf(heap), usedBytes: before.usedBytes, freeBytes: before.freeBytes });
            continue;
          }
          const { runs, lengthBytes } = allocation.sgTable;
          t.is(allocation.heap, heap.name);
          t.is(traits.name, heap.name);
          t.is(lengthBytes, Math.ceil(sizeBytes / PAGE_SIZE) * PAGE_SIZE);
          if (traits.contiguous) t.is(runs.length, 1);
          for (const [i, run] of runs.entries()) {
            const end = run.address + run.lengthBytes;
            t.true(
              traits.windows.some((w) => run.address >= w.base && end <= w.base + w.sizeBytes),
              'in one window',
            );
            t.is(run.address % traits.alignmentBytes, 0);
            if (i < runs.length - 1) t.is(run.lengthBytes % (traits.chunkBytes ?? PAGE_SIZE), 0);
          }
          const pages = pagesOf(allocation);
          for (const page of pages) {
            if (taken.has(page)) t.fail(`page ${page} is in two buffers`);
            taken.add(page);
          }
          live.set(allocation, pages);
          used += takenBy(allocation);
          peak = Math.max(peak, used);
        } else {
          const [allocation, pages] = [...live][which % live.size];
          heap.free(allocation);
          live.delete(allocation);
          for (const page of pages) taken.delete(page);
          used -= takenBy(allocation);
        }
        const stats = heap.stats();
        t.like(stats, { usedBytes: used, peakBytes: peak, allocations: live.size, sizeBytes: fresh.sizeBytes });
        t.is(stats.freeBytes, fresh.freeBytes - used);
        t.true(stats.largestFreeRunBytes <= stats.freeBytes);
      }
      for (const allocation of live.keys()) heap.free(allocation);
      t.deepEqual(booksOf(heap), { ...booksOf(under.make(prepare(under).memory)) });
      if (!under.keepsPages) t.deepEqual(heap.stats(), { ...fresh, peakBytes: peak });
    },
    repeated(40),
  );
}
