/**
 * The CMA heap: one contiguous run a buffer, from a region set aside at boot.
 *
 * Source: drivers/dma-buf/heaps/cma_heap.c, v6.12: alignment by the order of the size, at most CONFIG_CMA_ALIGNMENT;
 * ENOMEM whether the region is exhausted or fragmented (here the message says which); zeroed pages.
 */
import { physAddr } from '@dmabuf-lab/core/base';
import type { HeapTraits } from '@dmabuf-lab/core/constraints';
import type { DmaHeap, HeapAllocateOptions, HeapAllocation, HeapStats } from '@dmabuf-lab/core/dma-buf';
import { PAGE_SIZE, type PhysicalMemory, pageAlign, SgTable } from '@dmabuf-lab/core/memory';
import { ContiguousAllocator, orderOf } from './contiguous-allocator.js';
import { HeapAccounts, outOfMemory } from './heap-accounts.js';

/** CONFIG_CMA_ALIGNMENT's default: runs are aligned to at most 2^8 pages, 1 MiB. */
export const CMA_ALIGNMENT_ORDER = 8;
/** The key under which a CMA run is counted in `chunksByOrder`: it has no order. */
export const CONTIGUOUS_RUN = -1;

export interface CmaRegion {
  readonly base: number;
  readonly sizeBytes: number;
}

export class CmaHeap implements DmaHeap {
  readonly #pages: ContiguousAllocator;
  readonly #accounts: HeapAccounts<number>;

  constructor(
    readonly name: string,
    private readonly memory: PhysicalMemory,
    private readonly region: CmaRegion,
    private readonly alignmentOrder = CMA_ALIGNMENT_ORDER,
  ) {
    this.#pages = new ContiguousAllocator(region.sizeBytes / PAGE_SIZE);
    this.#accounts = new HeapAccounts(name);
  }

  traits(sizeBytes: number): HeapTraits {
    const pages = Math.max(1, pageAlign(sizeBytes) / PAGE_SIZE);
    const { base, sizeBytes: size } = this.region;
    const wanted = this.#alignPages(pages) * PAGE_SIZE;
    // Runs are aligned within the region, so an address is only as aligned as the region's base.
    let alignmentBytes = wanted;
    while (base % alignmentBytes !== 0) alignmentBytes /= 2;
    return { name: this.name, windows: [{ base, sizeBytes: size }], contiguous: true, alignmentBytes, cost: 2 };
  }

  allocate(sizeBytes: number, { zero }: HeapAllocateOptions): HeapAllocation {
    const pages = this.#accounts.pagesOf(sizeBytes);
    const first = this.#pages.allocate(pages, this.#alignPages(pages));
    if (first === undefined) {
      const { freeBytes, largestFreeRunBytes } = this.stats();
      throw outOfMemory(this.name, pages * PAGE_SIZE, freeBytes, largestFreeRunBytes);
    }
    const run = { address: physAddr(this.region.base + first * PAGE_SIZE), lengthBytes: pages * PAGE_SIZE };
    if (zero) this.memory.fill(run.address, 0, run.lengthBytes);
    const sgTable = new SgTable([run]);
    const allocation = { heap: this.name, sgTable, chunksByOrder: new Map([[CONTIGUOUS_RUN, 1]]) };
    this.#accounts.add(allocation, first);
    return allocation;
  }

  free(allocation: HeapAllocation): void {
    this.#pages.free(this.#accounts.remove(allocation));
  }

  stats(): HeapStats {
    const { usedBytes, peakBytes, allocations } = this.#accounts;
    const freeBytes = this.#pages.freePageCount * PAGE_SIZE;
    const largestFreeRunBytes = this.#pages.largestFreeRun() * PAGE_SIZE;
    return { sizeBytes: this.region.sizeBytes, usedBytes, peakBytes, freeBytes, largestFreeRunBytes, allocations };
  }

  #alignPages(pages: number): number {
    return 2 ** Math.min(orderOf(pages), this.alignmentOrder);
  }
}
