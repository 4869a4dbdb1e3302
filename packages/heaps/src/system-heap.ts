/**
 * The system heap: scattered pages from the page allocator.
 *
 * A buffer is made of the largest blocks that are not larger than what it still needs, and once a size has not been to be
 * had, no larger one is tried again for it. Blocks that happen to abut make one run.
 *
 * Context: owner-actor; never blocks.
 *
 * Source: drivers/dma-buf/heaps/system_heap.c (alloc_largest_available, system_heap_allocate), v6.12. Differs: nothing is
 * reclaimed or compacted, so that a buffer fails exactly when fewer pages are free than it needs.
 */
import { assert, ErrnoError, physAddr, type RandomStream } from '@dmabuf-lab/core/base';
import type { HeapTraits } from '@dmabuf-lab/core/constraints';
import type { DmaHeap, HeapAllocateOptions, HeapAllocation, HeapStats } from '@dmabuf-lab/core/dma-buf';
import { PAGE_SIZE, type PhysicalMemory, SgTable } from '@dmabuf-lab/core/memory';
import { AllocationLedger, noRoom, pagesOfRequest } from './allocation-ledger.js';
import { BuddyAllocator, MAX_PAGE_ORDER } from './buddy-allocator.js';
import { type PageRange, pageRangeOf, windowOfPages, withoutHoles } from './page-range.js';
import { planAging, smallestAgingOrder } from './zone-aging.js';

/** Blocks of 1 MiB, 64 KiB and 4 KiB. Source: orders[], drivers/dma-buf/heaps/system_heap.c, v6.12. */
export const SYSTEM_HEAP_ORDERS: readonly number[] = [8, 4, 0];

/** Whole pages in one window of the memory, with the holes that belong to others, such as a CMA region. */
export interface Zone {
  readonly base: number;
  readonly sizeBytes: number;
  /** In bytes from the base; by default none. */
  readonly holes?: readonly { readonly offset: number; readonly sizeBytes: number }[];
}

/** How worn a zone is: what other users of the machine hold, and how what they leave is scattered. */
export interface Aging {
  /** Fraction of the region's pages that others hold, 0 to 1. */
  readonly keep: number;
  /** From the start of the zone; by default all of it. */
  readonly regionBytes?: number;
  /**
   * No free run of the region is longer than 2^largestFreeOrder pages; 0 to 10. With 0 at least half must be kept, else
   * at least 1 page in 2^largestFreeOrder. By default 4, or the next for which `keep` is enough.
   */
  readonly largestFreeOrder?: number;
  readonly random: RandomStream;
}

interface Block {
  readonly page: number;
  readonly order: number;
}

export class SystemHeap implements DmaHeap {
  readonly #buddy: BuddyAllocator;
  /** The zone without its holes. */
  readonly #ranges: readonly PageRange[];
  readonly #traits: HeapTraits;
  readonly #ledger: AllocationLedger<readonly Block[]>;
  #otherUsersPages = 0;
  #isAged = false;

  /**
   * @param cost scarcity rank for the placement solver; a heap below 4 GiB only is 1
   * @throws ErrnoError EINVAL when the zone or a hole is not whole pages, or the holes leave nothing
   * @throws ErrnoError EFAULT when no single window of the memory backs the zone
   */
  constructor(
    readonly name: string,
    private readonly memory: PhysicalMemory,
    zone: Zone,
    cost = 0,
  ) {
    const range = pageRangeOf(zone, `the zone of heap ${name}`);
    const holes = (zone.holes ?? []).map(({ offset, sizeBytes }) =>
      pageRangeOf({ base: zone.base + offset, sizeBytes }, `a hole in the zone of heap ${name}`),
    );
    memory.view(physAddr(zone.base), zone.sizeBytes);
    this.#buddy = new BuddyAllocator(range, holes);
    this.#ranges = withoutHoles(range, holes);
    const windows = this.#ranges.map(windowOfPages);
    if (windows.length === 0) {
      throw new ErrnoError('EINVAL', 'heap_create', `Cannot create heap ${name}: holes leave nothing of its zone`);
    }
    this.#traits = { name, windows, contiguous: false, alignmentBytes: PAGE_SIZE, chunkBytes: PAGE_SIZE, cost };
    this.#ledger = new AllocationLedger(name);
  }

  /** Bytes that other users of the machine hold, since `age`: neither free nor used by buffers. */
  get otherUsersBytes(): number {
    return this.#otherUsersPages * PAGE_SIZE;
  }

  /** The same for every size. */
  traits(_sizeBytes?: number): HeapTraits {
    return this.#traits;
  }

  allocate(sizeBytes: number, options: HeapAllocateOptions): HeapAllocation {
    const pageCount = pagesOfRequest(this.name, sizeBytes);
    // A block of order 0 is to be had as long as a page is free, so this test alone makes it all or nothing.
    if (pageCount > this.#buddy.freePageCount) throw noRoom(this.name, sizeBytes, this.stats(), PAGE_SIZE);
    const blocks = this.#takeBlocks(pageCount);
    const chunksByOrder = new Map<number, number>();
    for (const { order } of blocks) chunksByOrder.set(order, (chunksByOrder.get(order) ?? 0) + 1);
    const sgTable = SgTable.fromRuns(
      blocks.map(({ page, order }) => ({ address: physAddr(page * PAGE_SIZE), lengthBytes: 2 ** order * PAGE_SIZE })),
    );
    if (options.zero) for (const run of sgTable.runs) this.memory.fill(run.address, 0, run.lengthBytes);
    const allocation = { heap: this.name, sgTable, chunksByOrder };
    this.#ledger.add(allocation, blocks);
    return allocation;
  }

  free(allocation: HeapAllocation): void {
    for (const { page, order } of this.#ledger.remove(allocation)) this.#buddy.freePages(page, order);
  }

  /** `sizeBytes` is all memory of the heap: used by buffers, held by other users, and free. */
  stats(): HeapStats {
    const { pageCount, freePageCount } = this.#buddy;
    const largest = this.#buddy.largestFreeRunPages();
    return this.#ledger.stats(pageCount * PAGE_SIZE, freePageCount * PAGE_SIZE, largest * PAGE_SIZE);
  }

  /** Number of free blocks of each order from 0 to 10. */
  freeBlocksByOrder(): number[] {
    return this.#buddy.freeBlocksByOrder();
  }

  /**
   * Wears the zone: other users hold pages all over the region, for good, so that what is free is scattered, as on a
   * machine that has been up for a while. Seeded, and exact to the page; touches no memory. Before the first allocation.
   *
   * @throws ErrnoError EBUSY when buffers are out, or the heap has been aged before
   * @throws ErrnoError EINVAL when a parameter is out of its range
   */
  age(aging: Aging): void {
    const { pageCount: zonePages, firstPage } = this.#buddy.zone;
    const { keep, regionBytes = zonePages * PAGE_SIZE, random } = aging;
    const regionEnd = firstPage + Math.floor(regionBytes / PAGE_SIZE);
    this.#checkAging(keep >= 0 && keep <= 1, `keep must be from 0 to 1, got ${keep}`);
    const isInside = regionEnd > firstPage && regionEnd <= firstPage + zonePages;
    this.#checkAging(isInside, `the region must lie in the zone, got ${regionBytes} bytes`);
    if (this.#isAged || this.#ledger.allocations > 0) {
      const reason = this.#isAged ? 'it has been aged before' : `${this.#ledger.allocations} allocations are out`;
      throw new ErrnoError('EBUSY', 'heap_age', `Cannot age heap ${this.name}: ${reason}`, { heap: this.name });
    }
    const region = this.#ranges
      .filter((range) => range.firstPage < regionEnd)
      .map((range) => ({ ...range, pageCount: Math.min(range.pageCount, regionEnd - range.firstPage) }));
    const regionPages = region.reduce((sum, range) => sum + range.pageCount, 0);
    const heldPages = Math.ceil(regionPages * keep);
    if (heldPages === 0) return;
    const order = aging.largestFreeOrder ?? smallestAgingOrder(region, regionPages - heldPages);
    const isOrder = Number.isInteger(order) && order >= 0 && order <= MAX_PAGE_ORDER;
    this.#checkAging(isOrder, `largestFreeOrder must be from 0 to ${MAX_PAGE_ORDER}, got ${order}`);
    const free = planAging(region, regionPages - heldPages, order, random);
    for (const range of region) this.#buddy.reserveRange(range);
    // From the top down, so that the lowest pages come to lie at the head of the free lists.
    for (const range of free.reverse()) this.#buddy.releaseRange(range);
    this.#otherUsersPages = heldPages;
    this.#isAged = true;
  }

  #checkAging(isGood: boolean, reason: string): void {
    if (isGood) return;
    throw new ErrnoError('EINVAL', 'heap_age', `Cannot age heap ${this.name}: ${reason}`, { heap: this.name });
  }

  #takeBlocks(pageCount: number): Block[] {
    const blocks: Block[] = [];
    let [left, maxOrder] = [pageCount, SYSTEM_HEAP_ORDERS[0]];
    while (left > 0) {
      const block = this.#takeLargest(left, maxOrder);
      assert(block !== undefined, 'as many pages are free as the page allocator has counted');
      blocks.push(block);
      left -= 2 ** block.order;
      maxOrder = block.order;
    }
    return blocks;
  }

  #takeLargest(left: number, maxOrder: number): Block | undefined {
    for (const order of SYSTEM_HEAP_ORDERS) {
      if (2 ** order > left || order > maxOrder) continue;
      const page = this.#buddy.allocPages(order);
      if (page !== undefined) return { page, order };
    }
    return undefined;
  }
}
