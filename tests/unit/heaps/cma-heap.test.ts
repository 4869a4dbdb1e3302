import type { HeapAllocation } from '@dmabuf-lab/core/dma-buf';
import { PAGE_SIZE, PhysicalMemory } from '@dmabuf-lab/core/memory';
import { CmaHeap, CONTIGUOUS_RUN } from '@dmabuf-lab/heaps';
import test from 'ava';

const MiB = 2 ** 20;
const BASE = 0x40000000;
const memory = PhysicalMemory.create([{ name: 'dram', base: BASE, sizeBytes: 128 * MiB }]);
const region = { base: BASE + 32 * MiB, sizeBytes: 64 * MiB };
const asIs = { zero: false };

interface NoMemory {
  readonly message: string;
  readonly details: Record<string, unknown>;
}

/** Allocates buffers of that size until ENOMEM. */
function fill(heap: CmaHeap, sizeBytes: number): { buffers: HeapAllocation[]; error: NoMemory } {
  const buffers: HeapAllocation[] = [];
  for (;;) {
    try {
      buffers.push(heap.allocate(sizeBytes, asIs));
    } catch (error) {
      if ((error as { code?: string }).code !== 'ENOMEM') throw error;
      return { buffers, error: error as NoMemory };
    }
  }
}

for (const { what, sizeBytes, fits } of [
  { what: '8 MiB', sizeBytes: 8 * MiB, fits: 8 },
  { what: '1080p NV12', sizeBytes: 3110400, fits: 21 },
  { what: '4K NV12', sizeBytes: 12441600, fits: 5 },
  { what: 'XRGB 1080p', sizeBytes: 8294400, fits: 8 },
]) {
  test(`CmaHeap.allocate, hands out ${fits} buffers and then fails with ENOMEM, for ${what} in 64 MiB`, (t) => {
    t.is(fill(new CmaHeap('cma', memory, region), sizeBytes).buffers.length, fits);
  });
}

test('CmaHeap.allocate, says exhausted with the free bytes and the largest run, for T23', (t) => {
  const { error } = fill(new CmaHeap('cma', memory, region), 8294400);
  t.like(error.details, {
    requestedBytes: 8294400,
    freeBytes: 753664,
    largestFreeRunBytes: 94208,
    reason: 'exhausted',
  });
  t.regex(error.message, /exhausted: free 753664 bytes, and the largest free run is 94208$/);
});

test('CmaHeap.allocate, says fragmented, when enough is free but no run is long enough', (t) => {
  const { error } = fill(new CmaHeap('cma', memory, region), 8294400);
  t.is(error.details.reason, 'exhausted');
  const heap = new CmaHeap('cma', memory, region);
  fill(heap, 8294400);
  const small = t.throws(() => heap.allocate(100_000, asIs), { code: 'ENOMEM' }) as unknown as NoMemory;
  t.like(small.details, { freeBytes: 753664, largestFreeRunBytes: 94208, reason: 'fragmented' });
  t.regex(small.message, /fragmented: free 753664 bytes, but the largest free run is 94208$/);
});

test('CmaHeap.allocate, says misaligned, when a run is long enough but its aligned part is not', (t) => {
  const heap = new CmaHeap('cma', memory, { base: BASE + PAGE_SIZE, sizeBytes: 2 * MiB - PAGE_SIZE });
  heap.allocate(MiB, asIs);
  const error = t.throws(() => heap.allocate(129 * PAGE_SIZE, asIs), { code: 'ENOMEM' }) as unknown as NoMemory;
  t.like(error.details, { largestFreeRunBytes: 255 * PAGE_SIZE, alignmentBytes: MiB, reason: 'misaligned' });
  t.regex(error.message, /no free run holds it from a start aligned to 1048576/);
});

test('CmaHeap.allocate, finds the gap of a freed buffer again', (t) => {
  const heap = new CmaHeap('cma', memory, region);
  const { buffers } = fill(heap, 8 * MiB);
  heap.free(buffers[3]);
  t.is(heap.allocate(8 * MiB, asIs).sgTable.runs[0].address, buffers[3].sgTable.runs[0].address);
});

test('CmaHeap.allocate, counts one contiguous run and no block of the page allocator', (t) => {
  const { chunksByOrder, sgTable } = new CmaHeap('cma', memory, region).allocate(3110400, asIs);
  t.deepEqual([...chunksByOrder], [[CONTIGUOUS_RUN, 1]]);
  t.true(sgTable.contiguous);
  t.is(sgTable.lengthBytes, 760 * PAGE_SIZE);
});

test('CmaHeap.traits, promises the alignment of the size, up to the limit of the heap', (t) => {
  const alignments = (heap: CmaHeap): number[] =>
    [1, PAGE_SIZE, PAGE_SIZE + 1, 5 * PAGE_SIZE, MiB, 8294400].map((size) => heap.traits(size).alignmentBytes);
  t.deepEqual(alignments(new CmaHeap('cma', memory, region)), [4096, 4096, 8192, 32768, MiB, MiB]);
  t.deepEqual(alignments(new CmaHeap('cma', memory, region, 2)), [4096, 4096, 8192, 16384, 16384, 16384]);
});

test('CmaHeap.traits, ranks behind the system heaps, and where it is told to', (t) => {
  t.is(new CmaHeap('cma', memory, region).traits(1).cost, 2);
  t.is(new CmaHeap('vram', memory, region, 8, 3).traits(1).cost, 3);
});

test('CmaHeap, refuses a region that is not whole pages with EINVAL, and one outside the memory with EFAULT', (t) => {
  const make = (base: number, sizeBytes: number) => () => new CmaHeap('cma', memory, { base, sizeBytes });
  t.throws(make(BASE + 5, MiB), { code: 'EINVAL' });
  t.throws(make(BASE, 5), { code: 'EINVAL' });
  t.throws(make(BASE, 0), { code: 'EINVAL' });
  t.throws(make(BASE + 100 * MiB, 64 * MiB), { code: 'EFAULT' });
});
