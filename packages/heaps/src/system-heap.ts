/**
 * The system heap: scattered pages from the buddy allocator.
 *
 * Source: drivers/dma-buf/heaps/system_heap.c, v6.12: orders 8, 4 and 0, the largest that fits first; an order that has
 * failed once is not tried again within one allocation; zeroed pages.
 */
import { physAddr, type RandomStream } from '@dmabuf-lab/core/base';
import type { HeapTraits } from '@dmabuf-lab/core/constraints';
import type { DmaHeap, HeapAllocateOptions, HeapAllocation, HeapStats } from '@dmabuf-lab/core/dma-buf';
import { PAGE_SIZE, type PhysicalMemory, type Run, SgTable } from '@dmabuf-lab/core/memory';
import { BuddyAllocator, MAX_PAGE_ORDER, type PageRange } from './buddy-allocator.js';
import { HeapAccounts, outOfMemory } from './heap-accounts.js';

const ORDERS = [8, 4, 0] as const;

/** A zone of pages, with the holes that belong to others. */
export interface Zone {
  readonly base: number;
  readonly sizeBytes: number;
  /** In bytes from the base. */
  readonly holes: readonly { readonly offset: number; readonly sizeBytes: number }[];
}

/** How worn a zone is: what other users of the machine hold, page by page. */
export interface Aging {
  /** Fraction of the region's pages that others hold, 0 to 1. */
  readonly keep: number;
  /** From the start of the zone; by default all of it. */
  readonly regionBytes?: number;
  readonly random: RandomStream;
}

export class SystemHeap implements DmaHeap {
  readonly #buddy: BuddyAllocator;
  readonly #accounts: HeapAccounts<readonly number[]>;
  #othersPages = 0;

  constructor(
    readonly name: string,
    private readonly memory: PhysicalMemory,
    private readonly zone: Zone,
  ) {
    const holes = zone.holes.map(
      (hole): PageRange => ({ first: hole.offset / PAGE_SIZE, count: hole.sizeBytes / PAGE_SIZE }),
    );
    this.#buddy = new BuddyAllocator(zone.sizeBytes / PAGE_SIZE, holes);
    this.#accounts = new HeapAccounts(name);
  }

  /** Bytes that other users of the machine hold; no buffers. */
  get othersBytes(): number {
    return this.#othersPages * PAGE_SIZE;
  }

  /**
   * Wears the zone: other users take single pages all over it, so that what is free is scattered, as on a machine that
   * has been up for a while. Seeded; touches no memory. Before the first allocation.
   */
  age({ keep, regionBytes, random }: Aging): void {
    const wanted = Math.floor((regionBytes ?? this.zone.sizeBytes) / PAGE_SIZE);
    const taken: number[] = [];
    while (taken.length < wanted) {
      const page = this.#buddy.allocate(0);
      if (page === undefined || page >= wanted) {
        if (page !== undefined) this.#buddy.free(page);
        break;
      }
      taken.push(page);
    }
    for (const page of taken) {
      if (random.uniform() < keep) this.#othersPages += 1;
      else this.#buddy.free(page);
    }
  }

  traits(): HeapTraits {
    return { name: this.name, windows: this.#windows(), contiguous: false, alignmentBytes: PAGE_SIZE, cost: 0 };
  }

  allocate(sizeBytes: number, { zero }: HeapAllocateOptions): HeapAllocation {
    const pages = this.#accounts.pagesOf(sizeBytes);
    const blocks: number[] = [];
    const runs: Run[] = [];
    const chunksByOrder = new Map<number, number>();
    let left = pages;
    let largest = 0;
    while (left > 0) {
      const order = this.#allocateBlock(left, largest, blocks);
      if (order === undefined) {
        for (const block of blocks) this.#buddy.free(block);
        throw outOfMemory(
          this.name,
          pages * PAGE_SIZE,
          this.#buddy.freePageCount * PAGE_SIZE,
          this.#buddy.largestFreeRun() * PAGE_SIZE,
        );
      }
      largest = ORDERS.indexOf(order);
      left -= 2 ** order;
      chunksByOrder.set(order, (chunksByOrder.get(order) ?? 0) + 1);
      const address = physAddr(this.zone.base + blocks[blocks.length - 1] * PAGE_SIZE);
      runs.push({ address, lengthBytes: 2 ** order * PAGE_SIZE });
    }
    if (zero) for (const run of runs) this.memory.fill(run.address, 0, run.lengthBytes);
    const allocation = { heap: this.name, sgTable: SgTable.fromRuns(runs), chunksByOrder };
    this.#accounts.add(allocation, blocks);
    return allocation;
  }

  free(allocation: HeapAllocation): void {
    for (const block of this.#accounts.remove(allocation)) this.#buddy.free(block);
  }

  stats(): HeapStats {
    const { usedBytes, peakBytes, allocations } = this.#accounts;
    const freeBytes = this.#buddy.freePageCount * PAGE_SIZE;
    const largestFreeRunBytes = this.#buddy.largestFreeRun() * PAGE_SIZE;
    const sizeBytes = freeBytes + usedBytes + this.othersBytes;
    return { sizeBytes, usedBytes, peakBytes, freeBytes, largestFreeRunBytes, allocations };
  }

  /** Takes the largest block that fits, of no larger order than the last one. */
  #allocateBlock(left: number, largest: number, blocks: number[]): (typeof ORDERS)[number] | undefined {
    for (const order of ORDERS.slice(largest)) {
      if (2 ** order > left || order > MAX_PAGE_ORDER) continue;
      const page = this.#buddy.allocate(order);
      if (page === undefined) continue;
      blocks.push(page);
      return order;
    }
    return undefined;
  }

  /** The zone without its holes. */
  #windows(): { base: number; sizeBytes: number }[] {
    const { base, sizeBytes, holes } = this.zone;
    const windows: { base: number; sizeBytes: number }[] = [];
    let offset = 0;
    for (const hole of [...holes].sort((a, b) => a.offset - b.offset)) {
      if (hole.offset > offset) windows.push({ base: base + offset, sizeBytes: hole.offset - offset });
      offset = hole.offset + hole.sizeBytes;
    }
    if (offset < sizeBytes) windows.push({ base: base + offset, sizeBytes: sizeBytes - offset });
    return windows;
  }
}
