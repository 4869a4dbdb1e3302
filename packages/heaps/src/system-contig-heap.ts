/**
 * The system-contig heap: one block of the page allocator a buffer, cut to size.
 *
 * Needs no region of its own, and gives at most 4 MiB, as long as memory is not in pieces. A buffer is aligned to the next
 * power of two of its size.
 *
 * Context: owner-actor; never blocks.
 *
 * Source: ion_system_contig_heap_allocate, drivers/staging/android/ion/ion_system_heap.c, v5.10: alloc_pages of the order
 * of the size, split_page, and the tail goes back.
 */
import { ErrnoError, physAddr } from '@dmabuf-lab/core/base';
import type { HeapTraits } from '@dmabuf-lab/core/constraints';
import {
  allocationOf,
  type DmaHeap,
  type HeapAllocateOptions,
  type HeapAllocation,
  type HeapStats,
  type StoredAllocation,
} from '@dmabuf-lab/core/dma-buf';
import { PAGE_SIZE, type PhysicalMemory, SgTable } from '@dmabuf-lab/core/memory';
import { AllocationLedger, noRoom, notFree, pagesOfRequest, rangesToAdopt } from './allocation-ledger.js';
import { MAX_PAGE_ORDER } from './buddy-allocator.js';
import { PageOps } from './buf-ops.js';
import { orderOfPages } from './page-range.js';
import { ANY_PAGE, type Block, PageZones, type Reach, type Zone } from './page-zones.js';

/** Of the blocks that an adopted run is taken as: any. */
const ALL_ORDERS: readonly number[] = Array.from({ length: MAX_PAGE_ORDER + 1 }, (_, i) => MAX_PAGE_ORDER - i);

export interface SystemContigHeapOptions {
  /** Scarcity; 1.5 when absent: it costs no region, but large blocks are rare on a machine that has been up. */
  readonly cost?: number;
  /** Which pages it takes; any when absent. */
  readonly reach?: Reach;
}

export class SystemContigHeap implements DmaHeap {
  readonly ops: PageOps;
  readonly #zones: PageZones;
  readonly #reach: Reach;
  readonly #cost: number;
  readonly #ledger: AllocationLedger<readonly Block[]>;

  /**
   * @param zone pages of its own, or zones that it shares with other heaps
   * @throws ErrnoError EINVAL when the zone is not whole pages, or nothing is left of it
   */
  constructor(
    readonly name: string,
    private readonly memory: PhysicalMemory,
    zone: Zone | PageZones,
    options: SystemContigHeapOptions = {},
  ) {
    this.#zones = zone instanceof PageZones ? zone : new PageZones(name, memory, [zone]);
    this.#reach = options.reach ?? ANY_PAGE;
    this.#cost = options.cost ?? 1.5;
    if (this.#zones.windows(this.#reach).length === 0) {
      throw new ErrnoError('EINVAL', 'heap_create', `Cannot create heap ${name}: no page of its zone lies below 4 GiB`);
    }
    this.#ledger = new AllocationLedger(name);
    this.ops = new PageOps(name, (storage) => this.free(storage));
  }

  traits(sizeBytes: number): HeapTraits {
    const order = Math.min(orderOfPages(pagesOfRequest(this.name, sizeBytes)), MAX_PAGE_ORDER);
    const alignmentBytes = 2 ** order * PAGE_SIZE;
    const windows = this.#zones.windows(this.#reach);
    const maxBytes = 2 ** MAX_PAGE_ORDER * PAGE_SIZE;
    return { name: this.name, windows, contiguous: true, alignmentBytes, maxBytes, cost: this.#cost };
  }

  allocate(sizeBytes: number, options: HeapAllocateOptions): HeapAllocation {
    const pageCount = pagesOfRequest(this.name, sizeBytes);
    const order = orderOfPages(pageCount);
    const take = (): Block[] | undefined => this.#zones.takeRun(pageCount, order, this.#reach);
    let blocks = order > MAX_PAGE_ORDER ? undefined : take();
    if (blocks === undefined && order <= MAX_PAGE_ORDER) {
      // Pools may hold what is missing; they give all of it back before an allocation fails.
      this.#zones.reclaim(Number.POSITIVE_INFINITY, this.#reach);
      blocks = take();
    }
    if (blocks === undefined) throw noRoom(this.name, sizeBytes, this.stats(), 2 ** order * PAGE_SIZE);
    const run = { address: physAddr(blocks[0].page * PAGE_SIZE), lengthBytes: pageCount * PAGE_SIZE };
    if (options.zero) this.memory.fill(run.address, 0, run.lengthBytes);
    const allocation = { heap: this.name, sgTable: new SgTable([run]), chunksByOrder: new Map([[order, 1]]) };
    this.#ledger.add(allocation, blocks);
    return allocation;
  }

  adopt(stored: StoredAllocation): HeapAllocation {
    const blocks = this.#zones.takeRanges(rangesToAdopt(this.name, stored), ALL_ORDERS);
    if (blocks === undefined) throw notFree(this.name, stored.runs);
    const allocation = allocationOf(stored);
    this.#ledger.add(allocation, blocks);
    return allocation;
  }

  free(allocation: HeapAllocation): void {
    for (const block of this.#ledger.remove(allocation)) this.#zones.give(block);
  }

  stats(): HeapStats {
    const pages = this.#zones.pageCount(this.#reach);
    const free = this.#zones.availablePageCount(this.#reach);
    const largest = this.#zones.largestFreeRunPages(this.#reach);
    return this.#ledger.stats(pages * PAGE_SIZE, free * PAGE_SIZE, largest * PAGE_SIZE);
  }
}
