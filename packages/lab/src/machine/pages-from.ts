import type { DmaHeap } from '@dmabuf-lab/core/dma-buf';
import type { PhysicalMemory, Run } from '@dmabuf-lab/core/memory';
import { PAGE_BYTES, type Page, type PageAllocator } from '@dmabuf-lab/uapi';

/** Zeroed pages of a heap, as kernel objects take them. */
export function pagesFrom(heap: DmaHeap, memory: PhysicalMemory): PageAllocator {
  return {
    allocate: (count) => {
      const allocation = heap.allocate(count * PAGE_BYTES, { zero: true });
      return { pages: pagesOf(memory, allocation.sgTable.runs), free: () => heap.free(allocation) };
    },
  };
}

function pagesOf(memory: PhysicalMemory, runs: readonly Run[]): Page[] {
  return runs.flatMap(({ address, lengthBytes }) => {
    const bytes = memory.view(address, lengthBytes);
    return Array.from({ length: lengthBytes / PAGE_BYTES }, (_, i) =>
      bytes.subarray(i * PAGE_BYTES, (i + 1) * PAGE_BYTES),
    );
  });
}
