/**
 * What an allocation costs in model time.
 *
 * Parameters of the model, not measurements: of the size that a Cortex-A class SoC shows. A scenario may set others.
 */
import type { Nanoseconds } from '@dmabuf-lab/core/base';
import type { HeapAllocation } from '@dmabuf-lab/core/dma-buf';
import { PAGE_SIZE } from '@dmabuf-lab/core/memory';

export interface AllocationCosts {
  /** Of one block from the page allocator, by order. An order that is not listed costs as the next larger that is. */
  readonly perChunkNs: Readonly<Record<number, Nanoseconds>>;
  /** Of one run from a contiguous heap: finding it, and per page clearing it of other users. */
  readonly perRunNs: Nanoseconds;
  readonly perRunPageNs: Nanoseconds;
  readonly zeroBytesPerSecond: number;
}

/** 250 ns, 600 ns and 2 us a block of order 0, 4 and 8; 20 us a contiguous run and 30 ns a page of it; zeroing 8 GB/s. */
export const DEFAULT_ALLOCATION_COSTS: AllocationCosts = {
  perChunkNs: { 0: 250, 4: 600, 8: 2000 },
  perRunNs: 20_000,
  perRunPageNs: 30,
  zeroBytesPerSecond: 8e9,
};

/**
 * What it costs to find the pages; zeroing is apart, since a move does without.
 *
 * @returns nanoseconds, an integer
 */
export function allocationCostNs(
  allocation: Pick<HeapAllocation, 'sgTable' | 'chunksByOrder'>,
  costs: AllocationCosts = DEFAULT_ALLOCATION_COSTS,
): Nanoseconds {
  const { sgTable, chunksByOrder } = allocation;
  let ns = 0;
  // Without blocks of the page allocator, every run is one of a contiguous heap.
  if (chunksByOrder.size === 0) {
    ns = costs.perRunNs * sgTable.runs.length + (costs.perRunPageNs * sgTable.lengthBytes) / PAGE_SIZE;
  }
  for (const [order, chunks] of chunksByOrder) ns += chunks * chunkCostNs(order, costs);
  return Math.round(ns);
}

/**
 * What it costs to zero that many bytes.
 *
 * @returns nanoseconds, rounded up
 */
export function zeroCostNs(sizeBytes: number, costs: AllocationCosts = DEFAULT_ALLOCATION_COSTS): Nanoseconds {
  return Math.ceil(sizeBytes / (costs.zeroBytesPerSecond / 1e9));
}

function chunkCostNs(order: number, { perChunkNs }: AllocationCosts): Nanoseconds {
  if (perChunkNs[order] !== undefined) return perChunkNs[order];
  const listed = Object.keys(perChunkNs)
    .map(Number)
    .sort((a, b) => a - b);
  return perChunkNs[listed.find((one) => one > order) ?? listed[listed.length - 1]] ?? 0;
}
