import type { HeapTraits } from '../constraints/index.js';
import { type Run, SgTable } from '../memory/index.js';
import type { DmaBufOps } from './dma-buf-ops.js';

/** Storage that a heap has handed out. The heap alone knows what stands behind it. */
export interface HeapAllocation {
  readonly heap: string;
  readonly sgTable: SgTable;
  /** Pages that had to be taken from the allocator, by order; what the cost of the allocation depends on. */
  readonly chunksByOrder: ReadonlyMap<number, number>;
  /** Blocks that came from a page pool, by order: zeroed already. Absent = none. */
  readonly pooledByOrder?: ReadonlyMap<number, number>;
  /** Bytes that came from a page pool; absent = 0. */
  readonly pooledBytes?: number;
  /** Pages whose cache state had to be changed; absent = 0. */
  readonly convertedPages?: number;
  /** What it takes from the heap, where that is more than the pages of the buffer: chunks are whole. */
  readonly takenBytes?: number;
  /** The device whose own memory it is; it reaches it whatever its constraints. */
  readonly localTo?: string;
}

/** An allocation as plain data: what the next life of its heap's actor can take it over by. */
export interface StoredAllocation extends Omit<HeapAllocation, 'sgTable'> {
  readonly runs: readonly Run[];
}

export function storedOf({ sgTable, ...rest }: HeapAllocation): StoredAllocation {
  return { ...rest, runs: sgTable.runs };
}

export function allocationOf({ runs, ...rest }: StoredAllocation): HeapAllocation {
  return { ...rest, sgTable: new SgTable(runs) };
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
  /** Kept in page pools, zeroed; part of `freeBytes`. Absent = there is no pool. */
  readonly pooledBytes?: number;
  /** Freed and not zeroed yet; part of `freeBytes`. Absent = freeing is not deferred. */
  readonly deferredBytes?: number;
  /** Blocks that were to be had from a pool, and that were not. Absent = there is no pool. */
  readonly poolHits?: number;
  readonly poolMisses?: number;
  /** Zeroed in the background, so that no allocation waited for it. */
  readonly backgroundZeroedBytes?: number;
}

/** Work that a heap has left for later: a kernel thread of low priority does it. */
export interface HeapBackground {
  /** Bytes that wait to be zeroed. */
  readonly pendingBytes: number;
  /**
   * Zeroes one block and puts it into its pool.
   *
   * @returns bytes zeroed; undefined when nothing is left
   */
  step(): number | undefined;
}

export interface HeapAllocateOptions {
  /** Zero the pages, as every Linux heap does. Off only where every byte is overwritten at once, as a move does. */
  readonly zero: boolean;
  /** Device-local memory only: from the part that the CPU and peers see. Absent = false. */
  readonly visible?: boolean;
}

/**
 * The port through which heaps enter. Called by the exporter actor only; never blocks; takes no lock.
 *
 * Source: struct dma_heap_ops, include/linux/dma-heap.h, v6.12. Differs: `free` is here, where Linux has it in the
 * buffer's release op, and `stats` and `traits` exist since the placement solver and the reports need them.
 */
export interface DmaHeap {
  readonly name: string;
  /** What its buffers do when they are attached, mapped and released. */
  readonly ops: DmaBufOps;
  /** Deferred freeing; absent = what is freed is free at once. */
  readonly background?: HeapBackground;
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
   * Books storage as out that an earlier life of this heap's actor had handed out: exactly those pages, as they are, all or
   * nothing. Before anything else is allocated.
   *
   * @throws ErrnoError EBUSY when not all of the pages are free; EINVAL when it is another heap's
   */
  adopt(stored: StoredAllocation): HeapAllocation;
  /**
   * Takes storage back. Called by `ops.release`.
   *
   * @throws ErrnoError EINVAL when the allocation is not out (double free, or another heap's)
   */
  free(allocation: HeapAllocation): void;
  stats(): HeapStats;
}
