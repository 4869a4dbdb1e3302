/**
 * A binary buddy allocator over the pages of one zone.
 *
 * Blocks are of 2^order pages, orders 0 to 10. A block is split in halves until it fits, and two free buddies of an order
 * become one of the next. Page numbers are relative to the zone. Deterministic: the lowest free block is taken.
 *
 * Source: __rmqueue_smallest and __free_one_page, mm/page_alloc.c, v6.12 (MAX_PAGE_ORDER 10). Differs: the lowest block of
 * an order is taken, where Linux takes the one freed last, so that a run does not depend on history more than it must.
 */
import { assert, ErrnoError } from '@dmabuf-lab/core/base';

export const MAX_PAGE_ORDER = 10;

/** A range of pages of a zone. */
export interface PageRange {
  readonly first: number;
  readonly count: number;
}

const FREE = 0x40;
const USED = 0x80;
const ORDER_MASK = 0x3f;

export class BuddyAllocator {
  /** At the first page of each block: FREE or USED with its order; 0 inside a block and in holes. */
  readonly #blocks: Uint8Array;
  readonly #free: FreeBlocks[] = [];
  #freePages = 0;

  /**
   * @param pages of the zone
   * @param holes ranges of the zone that are not this allocator's, such as a CMA region
   */
  constructor(
    readonly pages: number,
    holes: readonly PageRange[] = [],
  ) {
    this.#blocks = new Uint8Array(pages);
    for (let order = 0; order <= MAX_PAGE_ORDER; order += 1) this.#free.push(new FreeBlocks());
    let page = 0;
    for (const hole of [...holes].sort((a, b) => a.first - b.first)) {
      this.#addRange(page, hole.first);
      page = hole.first + hole.count;
    }
    this.#addRange(page, pages);
  }

  get freePageCount(): number {
    return this.#freePages;
  }

  /** Free blocks of an order. */
  freeBlocks(order: number): number {
    return this.#free[order].size;
  }

  /** Takes a block. @returns its first page, or undefined when no block is large enough */
  allocate(order: number): number | undefined {
    let from = order;
    while (from <= MAX_PAGE_ORDER && this.#free[from].size === 0) from += 1;
    if (from > MAX_PAGE_ORDER) return undefined;
    const page = this.#free[from].takeLowest();
    for (let half = from - 1; half >= order; half -= 1) this.#addFree(page + 2 ** half, half);
    this.#blocks[page] = USED | order;
    this.#freePages -= 2 ** order;
    return page;
  }

  /** Gives a block back. @throws ErrnoError EINVAL when the page does not start a block that is out (double free) */
  free(page: number): void {
    const mark = this.#blocks[page] ?? 0;
    if ((mark & USED) === 0) {
      throw new ErrnoError('EINVAL', 'free_pages', `Cannot free page ${page}: no block that is out starts there`);
    }
    let order = mark & ORDER_MASK;
    let first = page;
    this.#freePages += 2 ** order;
    this.#blocks[page] = 0;
    for (; order < MAX_PAGE_ORDER; order += 1) {
      const buddy = first ^ (2 ** order);
      if (buddy >= this.pages || this.#blocks[buddy] !== (FREE | order)) break;
      this.#free[order].remove(buddy);
      this.#blocks[buddy] = 0;
      first = Math.min(first, buddy);
    }
    this.#addFree(first, order);
  }

  /** The longest stretch of free pages, across blocks. */
  largestFreeRun(): number {
    let largest = 0;
    let run = 0;
    for (let page = 0; page < this.pages; ) {
      const mark = this.#blocks[page];
      const length = mark === 0 ? 1 : 2 ** (mark & ORDER_MASK);
      run = (mark & FREE) === 0 ? 0 : run + length;
      largest = Math.max(largest, run);
      page += length;
    }
    return largest;
  }

  #addRange(from: number, to: number): void {
    let page = from;
    while (page < to) {
      let order = MAX_PAGE_ORDER;
      while (page % 2 ** order !== 0 || page + 2 ** order > to) order -= 1;
      this.#addFree(page, order);
      this.#freePages += 2 ** order;
      page += 2 ** order;
    }
  }

  #addFree(page: number, order: number): void {
    assert(this.#blocks[page] === 0, 'a block is free or out, not both');
    this.#blocks[page] = FREE | order;
    this.#free[order].add(page);
  }
}

/** The free blocks of one order: a heap of page numbers with lazy removal. */
class FreeBlocks {
  readonly #heap: number[] = [];
  readonly #members = new Set<number>();

  get size(): number {
    return this.#members.size;
  }

  add(page: number): void {
    this.#members.add(page);
    const heap = this.#heap;
    let child = heap.push(page) - 1;
    for (; child > 0; ) {
      const parent = (child - 1) >> 1;
      if (heap[parent] <= page) break;
      heap[child] = heap[parent];
      child = parent;
    }
    heap[child] = page;
  }

  remove(page: number): void {
    this.#members.delete(page);
  }

  /** The lowest page; the set must not be empty. */
  takeLowest(): number {
    for (;;) {
      const page = this.#pop();
      if (this.#members.delete(page)) return page;
    }
  }

  #pop(): number {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    assert(last !== undefined, 'a block is only taken where there is one');
    if (heap.length === 0) return first;
    let parent = 0;
    for (;;) {
      let child = 2 * parent + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1] < heap[child]) child += 1;
      if (heap[child] >= last) break;
      heap[parent] = heap[child];
      parent = child;
    }
    heap[parent] = last;
    return first;
  }
}
