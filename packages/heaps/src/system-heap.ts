/**
 * The system heap: scattered pages from the page allocator.
 *
 * A buffer is made of the largest blocks that are not larger than what it still needs, and once a size has not been to be
 * had, no larger one is tried again for it. Blocks that happen to abut make one run. With `lowOnly` it is the heap
 * system-dma32, which takes pages below 4 GiB only; both may draw from the same zones.
 *
 * Context: owner-actor; never blocks.
 *
 * Source: drivers/dma-buf/heaps/system_heap.c (alloc_largest_available, system_heap_allocate), v6.12. Differs: nothing is
 * compacted, and only pools are reclaimed, so that a buffer fails exactly when fewer pages are available than it needs.
 */
import { assert, ErrnoError, physAddr, type RandomStream } from '@dmabuf-lab/core/base';
import type { HeapTraits } from '@dmabuf-lab/core/constraints';
import {
  allocationOf,
  type DmaHeap,
  type HeapAllocateOptions,
  type HeapAllocation,
  type HeapBackground,
  type HeapStats,
  type StoredAllocation,
} from '@dmabuf-lab/core/dma-buf';
import { PAGE_SIZE, type PhysicalMemory, SgTable } from '@dmabuf-lab/core/memory';
import { AllocationLedger, noRoom, notFree, pagesOfRequest, rangesToAdopt } from './allocation-ledger.js';
import { MAX_PAGE_ORDER } from './buddy-allocator.js';
import { type CacheState, PageOps } from './buf-ops.js';
import type { PoolOptions } from './page-pool.js';
import { ANY_PAGE, type Block, PageZones, type Reach, type Zone } from './page-zones.js';
import { PageReserve } from './reserve.js';
import { planAging, smallestAgingOrder } from './zone-aging.js';

/** Blocks of 1 MiB, 64 KiB and 4 KiB. Source: orders[], drivers/dma-buf/heaps/system_heap.c, v6.12. */
export const SYSTEM_HEAP_ORDERS: readonly number[] = [8, 4, 0];

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

/** How a system heap differs from the plain one. */
export interface SystemHeapOptions {
  /** Scarcity for the placement solver; 0, and 1 below 4 GiB, when absent. */
  readonly cost?: number;
  /** Which pages it takes; any when absent. */
  readonly reach?: Reach;
  /** Keeps zeroed pages ready. */
  readonly pool?: PoolOptions;
  /** Freed pages are zeroed later, in the background. */
  readonly deferredFree?: boolean;
  /** How the CPU sees its pages; cached when absent. */
  readonly cache?: CacheState;
}

export class SystemHeap implements DmaHeap {
  readonly ops: PageOps;
  readonly background: HeapBackground | undefined;
  readonly #zones: PageZones;
  readonly #reach: Reach;
  readonly #cache: CacheState;
  readonly #reserve: PageReserve;
  readonly #traits: HeapTraits;
  readonly #ledger: AllocationLedger<readonly Block[]>;
  #otherUsersPages = 0;
  #isAged = false;

  /**
   * @param zone pages of its own, or zones that it shares with other heaps
   * @throws ErrnoError EINVAL when the zone or a hole is not whole pages, or nothing is left of it
   * @throws ErrnoError EFAULT when no single window of the memory backs the zone
   */
  constructor(
    readonly name: string,
    private readonly memory: PhysicalMemory,
    zone: Zone | PageZones,
    options: SystemHeapOptions = {},
  ) {
    const { reach = ANY_PAGE, cache = 'cached', pool, deferredFree } = options;
    this.#zones = zone instanceof PageZones ? zone : new PageZones(name, memory, [zone]);
    this.#reach = reach;
    this.#cache = cache;
    const windows = this.#zones.windows(reach);
    if (windows.length === 0) {
      throw new ErrnoError('EINVAL', 'heap_create', `Cannot create heap ${name}: no page of its zone lies below 4 GiB`);
    }
    const cost = options.cost ?? (reach.lowOnly ? 1 : 0);
    this.#traits = { name, windows, contiguous: false, alignmentBytes: PAGE_SIZE, chunkBytes: PAGE_SIZE, cost };
    this.#ledger = new AllocationLedger(name);
    this.#reserve = new PageReserve(memory, this.#zones, reach, { pool, deferredFree, cache }, SYSTEM_HEAP_ORDERS);
    this.background = deferredFree ? this.#reserve : undefined;
    this.ops = new PageOps(name, (storage) => this.free(storage), cache);
  }

  /** Bytes that other users of the machine hold, since `age`: neither free nor used by buffers. */
  get otherUsersBytes(): number {
    return this.#otherUsersPages * PAGE_SIZE;
  }

  /** Puts into the pool what it is to hold before the run; after `age`. */
  fillPool(): void {
    this.#reserve.fill();
  }

  /** The same for every size. */
  traits(_sizeBytes?: number): HeapTraits {
    return this.#traits;
  }

  allocate(sizeBytes: number, options: HeapAllocateOptions): HeapAllocation {
    const pageCount = pagesOfRequest(this.name, sizeBytes);
    // A block of order 0 is to be had as long as a page is available, so this test alone makes it all or nothing.
    if (pageCount > this.#availablePages()) throw noRoom(this.name, sizeBytes, this.stats(), PAGE_SIZE);
    const chunksByOrder = new Map<number, number>();
    const pooledByOrder = new Map<number, number>();
    let pooledPages = 0;
    const blocks = this.#takeBlocks(pageCount, (block, pooled) => {
      const counts = pooled ? pooledByOrder : chunksByOrder;
      counts.set(block.order, (counts.get(block.order) ?? 0) + 1);
      if (pooled) pooledPages += 2 ** block.order;
      else if (options.zero) this.memory.fill(addressOf(block), 0, bytesOf(block));
    });
    const runs = blocks.map((block) => ({ address: addressOf(block), lengthBytes: bytesOf(block) }));
    const allocation: HeapAllocation = {
      heap: this.name,
      sgTable: SgTable.fromRuns(runs),
      chunksByOrder,
      ...(pooledPages > 0 && { pooledByOrder, pooledBytes: pooledPages * PAGE_SIZE }),
      // Fresh pages are cached; a pool keeps them as they are needed.
      ...(this.#cache === 'uncached' && { convertedPages: pageCount - pooledPages }),
    };
    this.#ledger.add(allocation, blocks);
    return allocation;
  }

  adopt(stored: StoredAllocation): HeapAllocation {
    const blocks = this.#zones.takeRanges(rangesToAdopt(this.name, stored), SYSTEM_HEAP_ORDERS);
    if (blocks === undefined) throw notFree(this.name, stored.runs);
    const allocation = allocationOf(stored);
    this.#ledger.add(allocation, blocks);
    return allocation;
  }

  free(allocation: HeapAllocation): void {
    this.#reserve.give(this.#ledger.remove(allocation));
  }

  /** `sizeBytes` is all memory of the heap: used by buffers, held by other users, and free. */
  stats(): HeapStats {
    const pages = this.#zones.pageCount(this.#reach);
    const largest = this.#zones.largestFreeRunPages(this.#reach);
    const stats = this.#ledger.stats(pages * PAGE_SIZE, this.#availablePages() * PAGE_SIZE, largest * PAGE_SIZE);
    const { pool, deferred, pendingBytes, backgroundZeroedBytes } = this.#reserve;
    return {
      ...stats,
      ...(pool && { pooledBytes: pool.pageCount * PAGE_SIZE, poolHits: pool.hits, poolMisses: pool.misses }),
      ...(deferred && { deferredBytes: pendingBytes, backgroundZeroedBytes }),
    };
  }

  /** Number of free blocks of each order from 0 to 10. */
  freeBlocksByOrder(): number[] {
    return this.#zones.freeBlocksByOrder(this.#reach);
  }

  /** Gives back so many pooled or queued pages to the page allocator, as the kernel does under pressure. */
  shrink(pageCount: number): void {
    this.#reserve.shrink(pageCount, ANY_PAGE);
  }

  /**
   * Wears the zone: other users hold pages all over the region, for good, so that what is free is scattered, as on a
   * machine that has been up for a while. Seeded, and exact to the page; touches no memory. Before the first allocation.
   *
   * @throws ErrnoError EBUSY when buffers are out, or the heap has been aged before
   * @throws ErrnoError EINVAL when a parameter is out of its range
   */
  age(aging: Aging): void {
    const ranges = this.#zones.ranges(this.#reach);
    const zones = this.#zones.zones.filter((_, index) => this.#reach.zones?.includes(index) ?? true);
    const base = Math.min(...zones.map((zone) => zone.base));
    const sizeBytes = Math.max(...zones.map((zone) => zone.base + zone.sizeBytes)) - base;
    const { keep, regionBytes = sizeBytes, random } = aging;
    const [firstPage, zonePages] = [base / PAGE_SIZE, sizeBytes / PAGE_SIZE];
    const regionEnd = firstPage + Math.floor(regionBytes / PAGE_SIZE);
    this.#checkAging(keep >= 0 && keep <= 1, `keep must be from 0 to 1, got ${keep}`);
    const isInside = regionEnd > firstPage && regionEnd <= firstPage + zonePages;
    this.#checkAging(isInside, `the region must lie in the zone, got ${regionBytes} bytes`);
    if (this.#isAged || this.#ledger.allocations > 0) {
      const reason = this.#isAged ? 'it has been aged before' : `${this.#ledger.allocations} allocations are out`;
      throw new ErrnoError('EBUSY', 'heap_age', `Cannot age heap ${this.name}: ${reason}`, { heap: this.name });
    }
    const region = ranges
      .filter((range) => range.firstPage < regionEnd)
      .map((range) => ({ ...range, pageCount: Math.min(range.pageCount, regionEnd - range.firstPage) }));
    const regionPages = region.reduce((sum, range) => sum + range.pageCount, 0);
    const heldPages = Math.ceil(regionPages * keep);
    if (heldPages === 0) return;
    const order = aging.largestFreeOrder ?? smallestAgingOrder(region, regionPages - heldPages);
    const isOrder = Number.isInteger(order) && order >= 0 && order <= MAX_PAGE_ORDER;
    this.#checkAging(isOrder, `largestFreeOrder must be from 0 to ${MAX_PAGE_ORDER}, got ${order}`);
    this.#zones.rearrange(region, planAging(region, regionPages - heldPages, order, random));
    this.#otherUsersPages = heldPages;
    this.#isAged = true;
  }

  #availablePages(): number {
    return this.#zones.availablePageCount(this.#reach);
  }

  #checkAging(isGood: boolean, reason: string): void {
    if (isGood) return;
    throw new ErrnoError('EINVAL', 'heap_age', `Cannot age heap ${this.name}: ${reason}`, { heap: this.name });
  }

  #takeBlocks(pageCount: number, taken: (block: Block, pooled: boolean) => void): Block[] {
    const blocks: Block[] = [];
    let [left, maxOrder] = [pageCount, SYSTEM_HEAP_ORDERS[0]];
    while (left > 0) {
      const found = this.#takeLargest(left, maxOrder);
      if (found === undefined) {
        // Free pages are gone: those that pools and queues hold come straight back.
        const before = this.#zones.freePageCount(this.#reach);
        this.#zones.reclaim(left, this.#reach);
        assert(this.#zones.freePageCount(this.#reach) > before, 'as many pages are available as has been counted');
        continue;
      }
      taken(found.block, found.pooled);
      blocks.push(found.block);
      left -= 2 ** found.block.order;
      maxOrder = found.block.order;
    }
    return blocks;
  }

  #takeLargest(left: number, maxOrder: number): { block: Block; pooled: boolean } | undefined {
    for (const order of SYSTEM_HEAP_ORDERS) {
      if (2 ** order > left || order > maxOrder) continue;
      const pooled = this.#reserve.take(order);
      if (pooled !== undefined) return { block: pooled, pooled: true };
      const block = this.#zones.take(order, this.#reach);
      if (block !== undefined) return { block, pooled: false };
    }
    return undefined;
  }
}

const addressOf = ({ page }: Block) => physAddr(page * PAGE_SIZE);
const bytesOf = ({ order }: Block): number => 2 ** order * PAGE_SIZE;
