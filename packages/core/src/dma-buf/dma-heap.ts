import type { HeapTraits } from '../constraints/index.js';
import type { SgTable } from '../memory/index.js';

/** Storage that a heap has handed out. The heap alone knows what stands behind it. */
export interface HeapAllocation {
  readonly heap: string;
  readonly sgTable: SgTable;
  /** Pages that had to be taken from the allocator, by order; what the cost of the allocation depends on. */
  readonly chunksByOrder: ReadonlyMap<number, number>;
}

/** What a heap holds at one moment, in bytes. */
export interface HeapStats {
  readonly sizeBytes: number;
  readonly usedBytes: number;
  readonly peakBytes: number;
  readonly freeBytes: number;
  readonly largestFreeRunBytes: number;
  /** Allocations that are out. */
  readonly allocations: number;
}

export interface HeapAllocateOptions {
  /** Zero the pages, as every Linux heap does. Off only where every byte is overwritten at once, as a move does. */
  readonly zero: boolean;
}

/**
 * The port through which heaps enter. Called by the exporter actor only; never blocks; takes no lock.
 *
 * Source: struct dma_heap_ops, include/linux/dma-heap.h, v6.12. Differs: `free` is here, where Linux has it in the
 * buffer's release op, and `stats` and `traits` exist since the placement solver and the reports need them.
 */
export interface DmaHeap {
  readonly name: string;
  /** What every allocation of the given size is sure to satisfy; input of the placement solver. */
  traits(sizeBytes: number): HeapTraits;
  /**
   * Allocates whole pages, all or nothing.
   *
   * @param sizeBytes positive; rounded up to pages
   * @throws ErrnoError ENOMEM when the heap is exhausted or, if it must be contiguous, no free run is long enough: the
   *   details say which (`freeBytes`, `largestFreeRunBytes`), and nothing has been taken
   * @throws ErrnoError EINVAL when the size is not positive
   */
  allocate(sizeBytes: number, options: HeapAllocateOptions): HeapAllocation;
  /**
   * Takes storage back.
   *
   * @throws ErrnoError EINVAL when the allocation is not out (double free, or another heap's)
   */
  free(allocation: HeapAllocation): void;
  stats(): HeapStats;
}
