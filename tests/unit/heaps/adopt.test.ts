/** A heap whose actor has died: the next life takes over what is out, page by page. */
import { RandomStream } from '@dmabuf-lab/core/base';
import { allocationOf, type DmaHeap, type HeapAllocation, storedOf } from '@dmabuf-lab/core/dma-buf';
import { PAGE_SIZE, PhysicalMemory } from '@dmabuf-lab/core/memory';
import {
  CarveoutHeap,
  ChunkHeap,
  CmaHeap,
  DeviceLocalHeap,
  ProtectedHeap,
  SystemContigHeap,
  SystemHeap,
} from '@dmabuf-lab/heaps';
import test from 'ava';

const MiB = 2 ** 20;
const BASE = 2 ** 32 - 16 * MiB; // across 4 GiB
const memory = PhysicalMemory.create([{ name: 'dram', base: BASE, sizeBytes: 32 * MiB }]);
const region = { base: BASE, sizeBytes: 32 * MiB };

const HEAPS: Readonly<Record<string, () => DmaHeap>> = {
  system: () => new SystemHeap('heap', memory, region),
  'aged system': () => {
    const heap = new SystemHeap('heap', memory, region);
    heap.age({ keep: 0.4, random: new RandomStream(3, 'aged') });
    return heap;
  },
  'pooled system': () =>
    new SystemHeap('heap', memory, region, { pool: { limitBytes: 4 * MiB, fillBytes: 0 }, deferredFree: true }),
  'system-contig': () => new SystemContigHeap('heap', memory, region),
  cma: () => new CmaHeap('heap', memory, region),
  carveout: () => new CarveoutHeap('heap', memory, region),
  protected: () => new ProtectedHeap('heap', memory, region),
  chunk: () => new ChunkHeap('heap', memory, region, { chunkBytes: 64 * 1024 }),
  'device-local': () => new DeviceLocalHeap('heap', memory, region, { owner: 'gpu', visibleBytes: 8 * MiB }),
};

/** Allocates and frees at random. @returns what is out */
function use(heap: DmaHeap, seed: number): HeapAllocation[] {
  const random = new RandomStream(seed, 'use');
  const live: HeapAllocation[] = [];
  for (let i = 0; i < 60; i += 1) {
    if (random.uniform() < 0.4 && live.length > 0) {
      const [gone] = live.splice(Math.floor(random.uniform() * live.length), 1);
      heap.ops.release(gone);
    } else
      live.push(
        heap.allocate(1 + Math.floor(random.uniform() * 100) * PAGE_SIZE, { zero: false, visible: i % 2 === 0 }),
      );
  }
  return live;
}

for (const [kind, make] of Object.entries(HEAPS)) {
  test(`adopt, by a new ${kind} heap of all that is out of an old one, books the same bytes, and all are free in the end`, (t) => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const old = make();
      const live = use(old, seed);
      const heap = make();
      const fresh = heap.stats();
      const adopted = live.map((one) => heap.adopt(structuredClone(storedOf(one))));
      for (const [i, { sgTable, heap: name, chunksByOrder, localTo, takenBytes }] of adopted.entries()) {
        t.deepEqual(sgTable.runs, live[i].sgTable.runs);
        t.deepEqual(
          { name, chunksByOrder, localTo, takenBytes },
          {
            name: live[i].heap,
            chunksByOrder: live[i].chunksByOrder,
            localTo: live[i].localTo,
            takenBytes: live[i].takenBytes,
          },
        );
      }
      const { usedBytes, freeBytes, allocations } = heap.stats();
      t.deepEqual(
        { usedBytes, freeBytes, allocations },
        {
          usedBytes: old.stats().usedBytes,
          freeBytes: old.stats().freeBytes,
          allocations: old.stats().allocations,
        },
      );
      // What is allocated now lies beside what was adopted.
      const taken = new Set(adopted.flatMap(pagesOf));
      const more = heap.allocate(20 * PAGE_SIZE, { zero: false, visible: false });
      t.false(pagesOf(more).some((page) => taken.has(page)));
      for (const one of [...adopted, more]) heap.ops.release(one);
      while (heap.background?.step() !== undefined);
      t.is(heap.stats().freeBytes, fresh.freeBytes);
      t.is(heap.stats().usedBytes, 0);
    }
  });

  test(`adopt, by a ${kind} heap of pages that are not free, is EBUSY and takes nothing`, (t) => {
    const live = use(make(), 1);
    const heap = make();
    for (const one of live) heap.adopt(storedOf(one));
    const before = heap.stats();
    t.throws(() => heap.adopt(storedOf(live[0])), { code: 'EBUSY' });
    const stored = storedOf(allocationOf({ ...storedOf(live[0]), heap: 'another' }));
    t.throws(() => heap.adopt(stored), { code: 'EINVAL' });
    t.deepEqual(heap.stats(), before);
  });
}

test('adopt, of a buffer of which one page is taken, takes none of the others', (t) => {
  const old = new SystemHeap('heap', memory, region);
  old.age({ keep: 0.4, random: new RandomStream(3, 'aged') });
  const scattered = storedOf(old.allocate(MiB, { zero: false }));
  t.true(scattered.runs.length > 2);
  const heap = new SystemHeap('heap', memory, region);
  heap.adopt({ heap: 'heap', runs: scattered.runs.slice(-1), chunksByOrder: new Map() });
  const before = heap.stats();
  t.throws(() => heap.adopt(scattered), { code: 'EBUSY' });
  t.deepEqual(heap.stats(), before);
});

function pagesOf({ sgTable }: HeapAllocation): number[] {
  return sgTable.runs.flatMap(({ address, lengthBytes }) =>
    Array.from({ length: lengthBytes / PAGE_SIZE }, (_, i) => address / PAGE_SIZE + i),
  );
}
