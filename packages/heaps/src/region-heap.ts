/**
 * What heaps of contiguous runs out of a region of their own have in common: CMA, carveout and protected memory.
 *
 * Context: owner-actor; never blocks.
 */
import { physAddr } from '@dmabuf-lab/core/base';
import type { AddressWindow, HeapTraits } from '@dmabuf-lab/core/constraints';
import {
  allocationOf,
  type DmaBufOps,
  type DmaHeap,
  type HeapAllocateOptions,
  type HeapAllocation,
  type HeapStats,
  type StoredAllocation,
} from '@dmabuf-lab/core/dma-buf';
import { PAGE_SIZE, type PhysicalMemory, SgTable } from '@dmabuf-lab/core/memory';
import { AllocationLedger, noRoom, notFree, pagesOfRequest, rangesToAdopt } from './allocation-ledger.js';
import { ContiguousAllocator } from './contiguous-allocator.js';
import { type PageRange, pageRangeOf } from './page-range.js';

/** The key under which a contiguous run is counted in `chunksByOrder`: it is no block of the page allocator. */
export const CONTIGUOUS_RUN = -1;

export abstract class RegionHeap implements DmaHeap {
  abstract readonly ops: DmaBufOps;
  readonly #allocator: ContiguousAllocator;
  readonly #ledger: AllocationLedger<PageRange>;

  /**
   * @param region whole pages in one window of the memory; a hole in the zone of a system heap, if it lies in one
   * @param alignmentOrder runs are aligned to their size, but to no more than so many pages, as a power of two
   * @param cost scarcity for the placement solver
   * @throws ErrnoError EINVAL when the region is not whole pages
   * @throws ErrnoError EFAULT when no single window of the memory backs it
   */
  constructor(
    readonly name: string,
    private readonly memory: PhysicalMemory,
    private readonly region: AddressWindow,
    alignmentOrder: number,
    private readonly cost: number,
  ) {
    this.#allocator = new ContiguousAllocator(pageRangeOf(region, `the region of heap ${name}`), alignmentOrder);
    this.#ledger = new AllocationLedger(name);
    memory.view(physAddr(region.base), region.sizeBytes);
  }

  /** @throws ErrnoError EINVAL when the size is not positive */
  traits(sizeBytes: number): HeapTraits {
    const { base, sizeBytes: regionBytes } = this.region;
    const alignmentBytes = this.#allocator.alignmentPages(pagesOfRequest(this.name, sizeBytes)) * PAGE_SIZE;
    const windows = [{ base, sizeBytes: regionBytes }];
    return { name: this.name, windows, contiguous: true, alignmentBytes, cost: this.cost };
  }

  allocate(sizeBytes: number, options: HeapAllocateOptions): HeapAllocation {
    const pageCount = pagesOfRequest(this.name, sizeBytes);
    const firstPage = this.#allocator.allocRun(pageCount);
    if (firstPage === undefined) {
      const alignmentBytes = this.#allocator.alignmentPages(pageCount) * PAGE_SIZE;
      throw noRoom(this.name, sizeBytes, this.stats(), alignmentBytes);
    }
    const run = { address: physAddr(firstPage * PAGE_SIZE), lengthBytes: pageCount * PAGE_SIZE };
    if (options.zero) this.memory.fill(run.address, 0, run.lengthBytes);
    const allocation = { heap: this.name, sgTable: new SgTable([run]), chunksByOrder: new Map([[CONTIGUOUS_RUN, 1]]) };
    this.#ledger.add(allocation, { firstPage, pageCount });
    return allocation;
  }

  adopt(stored: StoredAllocation): HeapAllocation {
    const [range, ...more] = rangesToAdopt(this.name, stored);
    if (more.length > 0 || !this.#allocator.takeRun(range)) throw notFree(this.name, stored.runs);
    const allocation = allocationOf(stored);
    this.#ledger.add(allocation, range);
    return allocation;
  }

  free(allocation: HeapAllocation): void {
    const { firstPage, pageCount } = this.#ledger.remove(allocation);
    this.#allocator.freeRun(firstPage, pageCount);
  }

  stats(): HeapStats {
    const freeBytes = this.#allocator.freePageCount * PAGE_SIZE;
    const largestFreeRunBytes = this.#allocator.largestFreeRunPages() * PAGE_SIZE;
    return this.#ledger.stats(this.region.sizeBytes, freeBytes, largestFreeRunBytes);
  }
}
