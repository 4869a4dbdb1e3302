/** One suite over every heap: what the port `DmaHeap` promises. */
import { physAddr, RandomStream } from '@dmabuf-lab/core/base';
import { checkHeapTraits } from '@dmabuf-lab/core/constraints';
import type { DmaHeap, HeapAllocation } from '@dmabuf-lab/core/dma-buf';
import { PAGE_SIZE, PhysicalMemory } from '@dmabuf-lab/core/memory';
import { CmaHeap, SystemHeap } from '@dmabuf-lab/heaps';
import { fc, testProp } from '@fast-check/ava';
import test from 'ava';
import { repeated } from '../../unit/core/constraints/arbitraries.js';

const MiB = 2 ** 20;
/** Above 4 GiB, so that a 32-bit slip shows. */
const BASE = 6 * 2 ** 30;

interface HeapUnderTest {
  readonly what: string;
  readonly make: (memory: PhysicalMemory) => DmaHeap;
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
];

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
  return allocation.sgTable.runs.every((run) => memory.view(run.address, run.lengthBytes).every((b) => b === value));
}

const steps = fc.array(
  fc.tuple(fc.boolean(), fc.oneof(fc.integer({ min: 1, max: 20_000 }), fc.integer({ min: 1, max: 3 * MiB })), fc.nat()),
  { maxLength: 40 },
);

for (const under of heaps) {
  const { what } = under;

  test(`${what}, zeroes its pages and no others, when it is asked to`, (t) => {
    const { memory, heap } = prepare(under);
    memory.fill(physAddr(BASE), 0xa5, 16 * MiB);
    const sizes = [1, MiB, 5 * PAGE_SIZE, 3110400];
    const buffers = sizes.map((sizeBytes) => heap.allocate(sizeBytes, { zero: true }));
    for (const buffer of buffers) t.true(isFilledWith(memory, buffer, 0));
    const zeroed = memory.view(physAddr(BASE), 16 * MiB).reduce((count, byte) => (byte === 0 ? count + 1 : count), 0);
    t.is(zeroed, heap.stats().usedBytes);
  });

  test(`${what}, zeroes pages again on reuse, and leaves them as they are when it is not asked to`, (t) => {
    const { memory, heap } = prepare(under);
    const first = heap.allocate(MiB, { zero: true });
    for (const run of first.sgTable.runs) memory.fill(run.address, 0x5a, run.lengthBytes);
    heap.free(first);
    const second = heap.allocate(MiB, { zero: false });
    t.deepEqual(pagesOf(second).sort(), pagesOf(first).sort(), 'the same pages are handed out again');
    t.true(isFilledWith(memory, second, 0x5a));
    heap.free(second);
    t.true(isFilledWith(memory, heap.allocate(MiB, { zero: true }), 0));
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
    const all = Array.from({ length: before.freeBytes / PAGE_SIZE }, () => heap.allocate(1, { zero: false }));
    t.throws(() => heap.allocate(1, { zero: false }), { code: 'ENOMEM' });
    t.is(new Set(all.flatMap(pagesOf)).size, all.length);
    t.like(heap.stats(), {
      freeBytes: 0,
      largestFreeRunBytes: 0,
      usedBytes: before.freeBytes,
      allocations: all.length,
    });
    for (const allocation of all) heap.free(allocation);
    t.deepEqual(heap.stats(), { ...before, peakBytes: before.freeBytes });
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
            t.deepEqual(heap.stats(), before);
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
          used += lengthBytes;
          peak = Math.max(peak, used);
        } else {
          const [allocation, pages] = [...live][which % live.size];
          heap.free(allocation);
          live.delete(allocation);
          for (const page of pages) taken.delete(page);
          used -= allocation.sgTable.lengthBytes;
        }
        const stats = heap.stats();
        t.like(stats, { usedBytes: used, peakBytes: peak, allocations: live.size, sizeBytes: fresh.sizeBytes });
        t.is(stats.freeBytes, fresh.freeBytes - used);
        t.true(stats.largestFreeRunBytes <= stats.freeBytes);
      }
      for (const allocation of live.keys()) heap.free(allocation);
      t.deepEqual(heap.stats(), { ...fresh, peakBytes: peak });
    },
    repeated(40),
  );
}
