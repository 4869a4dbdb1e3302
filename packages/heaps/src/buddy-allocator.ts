/**
 * A binary buddy allocator over one zone of pages.
 *
 * Every page of the zone has one byte of state. A block of order k is 2^k pages, aligned to its size by page number, and
 * only the state of its first page says what it is:
 *
 *     0..10        head of a free block of that order, which is on the free list of that order
 *     16 + order   head of an allocated block
 *     TAIL         inside a block
 *     RESERVED     not the allocator's: outside the zone, a hole, or taken by reserveRange
 *
 * Invariants:
 *   I1  Two free buddies of one order never coexist below the largest order: they are one block.
 *   I2  freePageCount is the sum of the sizes of the free blocks.
 *   I3  A block never reaches over a section: 1024 pages, aligned, the largest block.
 *
 * Inside, pages are counted from an aligned origin, so that they fit 32 bits whatever the addresses are.
 *
 * Deterministic: free lists are last in, first out, and a fresh zone is handed out from its lowest page.
 *
 * Source: mm/page_alloc.c (__rmqueue_smallest, expand, __free_one_page), v6.12. Differs: no migrate types, no per-CPU
 * lists, no watermarks.
 */
import { assert } from '@dmabuf-lab/core/base';
import { type PageRange, withoutHoles } from './page-range.js';

/** The largest order of a block. Source: MAX_PAGE_ORDER, include/linux/mmzone.h, v6.12. */
export const MAX_PAGE_ORDER = 10;

const SECTION_PAGES = 1 << MAX_PAGE_ORDER;
const ALLOCATED = 16;
const TAIL = -1;
const RESERVED = -2;
const NONE = -1;

export class BuddyAllocator {
  /** Pages that the allocator was made with, free or not; holes are not counted. */
  readonly pageCount: number;
  /** The page that is counted as 0 inside; a multiple of the largest block. */
  readonly #origin: number;
  readonly #state: Int8Array;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #heads = new Int32Array(MAX_PAGE_ORDER + 1).fill(NONE);
  readonly #blocks = new Int32Array(MAX_PAGE_ORDER + 1);
  readonly #runs: SectionRuns;
  #freePageCount = 0;

  /**
   * @param zone the pages, wherever they start and however many there are, fewer than 2^31
   * @param holes pages of the zone that are somebody else's, such as a CMA region
   */
  constructor(
    readonly zone: PageRange,
    holes: readonly PageRange[] = [],
  ) {
    this.#origin = Math.floor(zone.firstPage / SECTION_PAGES) * SECTION_PAGES;
    const sections = Math.ceil((zone.firstPage + zone.pageCount - this.#origin) / SECTION_PAGES);
    const pages = sections * SECTION_PAGES;
    assert(zone.pageCount > 0 && pages < 2 ** 31, 'a zone holds between 1 and 2^31 pages');
    this.#state = new Int8Array(pages).fill(RESERVED);
    this.#next = new Int32Array(pages);
    this.#previous = new Int32Array(pages);
    this.#runs = new SectionRuns(this.#state);
    // From the top down, since the lists are last in, first out.
    for (const range of withoutHoles(zone, holes).reverse()) this.releaseRange(range);
    this.pageCount = this.#freePageCount;
  }

  /** Pages that are free, in blocks of whatever order. */
  get freePageCount(): number {
    return this.#freePageCount;
  }

  /** Number of free blocks of each order, from 0 to MAX_PAGE_ORDER; as /proc/buddyinfo shows them. */
  freeBlocksByOrder(): number[] {
    return Array.from(this.#blocks);
  }

  /** The longest stretch of free pages, over the borders of blocks. Looks only at sections that have changed. */
  largestFreeRunPages(): number {
    return this.#runs.longest();
  }

  /**
   * Takes a block of 2^order pages.
   *
   * @param order 0 to MAX_PAGE_ORDER
   * @returns its first page, aligned to its size; undefined when no free block is large enough
   */
  allocPages(order: number): number | undefined {
    let from = order;
    while (from <= MAX_PAGE_ORDER && this.#heads[from] === NONE) from += 1;
    if (from > MAX_PAGE_ORDER) return undefined;
    const page = this.#heads[from];
    this.#unlink(page, from);
    while (from > order) {
      from -= 1;
      this.#link(page + (1 << from), from);
    }
    this.#state[page] = ALLOCATED + order;
    this.#freePageCount -= 1 << order; // I2
    this.#runs.changed(page);
    return this.#origin + page;
  }

  /**
   * Gives a block back and joins it with its free buddies.
   *
   * @throws InvariantError when no allocated block of that order starts at that page, as after a double free
   */
  freePages(page: number, order: number): void {
    const index = page - this.#origin;
    const isOut = this.#state[index] === ALLOCATED + order;
    if (!isOut) assert(false, `an allocated block of order ${order} starts at page ${page}`);
    this.#free(index, order);
  }

  /**
   * Gives back the tail of an allocated block, so that only its first pages stay out, as blocks of their own.
   *
   * @param keep pages to keep, 1 to 2^order
   * @returns the blocks that stay out: one run, largest first
   * @throws InvariantError when no allocated block of that order starts at that page
   *
   * Source: split_page and the freeing of the tail in ion_system_contig_heap_allocate, v5.10.
   */
  splitPages(page: number, order: number, keep: number): { page: number; order: number }[] {
    const start = page - this.#origin;
    if (this.#state[start] !== ALLOCATED + order)
      assert(false, `an allocated block of order ${order} starts at page ${page}`);
    assert(keep >= 1 && keep <= 2 ** order, 'a part of a block stays out');
    const end = start + 2 ** order;
    const kept: { page: number; order: number }[] = [];
    let [at, left] = [start, keep];
    for (let part = order; left > 0; part -= 1) {
      if (left < 2 ** part) continue;
      this.#state[at] = ALLOCATED + part;
      kept.push({ page: this.#origin + at, order: part });
      at += 2 ** part;
      left -= 2 ** part;
    }
    this.#state.fill(RESERVED, at, end);
    this.#release(at, end);
    this.#runs.changed(start);
    return kept;
  }

  /**
   * Takes the free pages of a range out of the allocator, wherever they lie in blocks.
   *
   * @returns how many there were
   */
  reserveRange(range: PageRange): number {
    const start = Math.max(range.firstPage - this.#origin, 0);
    const end = Math.min(range.firstPage + range.pageCount - this.#origin, this.#state.length);
    const before = this.#freePageCount;
    for (let page = start; page < end; ) {
      const order = this.#orderOfFreeBlockAt(page);
      if (order === undefined) {
        page += 1;
        continue;
      }
      const block = startOfBlock(page, order);
      const blockEnd = block + (1 << order);
      this.#unlink(block, order);
      this.#state.fill(RESERVED, block, blockEnd);
      this.#freePageCount -= 1 << order; // I2
      this.#runs.changed(block);
      this.#release(Math.min(blockEnd, end), blockEnd);
      this.#release(block, page);
      page = blockEnd;
    }
    return before - this.#freePageCount;
  }

  /**
   * Gives reserved pages of the zone to the allocator.
   *
   * @throws InvariantError when a page of the range is not reserved
   */
  releaseRange(range: PageRange): void {
    const start = range.firstPage - this.#origin;
    this.#release(start, start + range.pageCount);
  }

  /** Whether every page of a range is a free page of the zone. */
  isFree(range: PageRange): boolean {
    const start = range.firstPage - this.#origin;
    const end = start + range.pageCount;
    if (start < 0 || end > this.#state.length) return false;
    for (let page = start; page < end; ) {
      const order = this.#orderOfFreeBlockAt(page);
      if (order === undefined) return false;
      page = startOfBlock(page, order) + (1 << order);
    }
    return true;
  }

  /**
   * Takes a free range, wherever it lies in blocks, as allocated blocks.
   *
   * @param orders of the blocks, largest first, 0 the last
   * @returns the blocks, lowest first
   * @throws InvariantError when not all pages are free
   */
  takeRange(range: PageRange, orders: readonly number[]): { page: number; order: number }[] {
    const taken = this.reserveRange(range);
    assert(taken === range.pageCount, 'all pages of the range are free');
    const blocks: { page: number; order: number }[] = [];
    const end = range.firstPage + range.pageCount - this.#origin;
    for (let at = range.firstPage - this.#origin; at < end; ) {
      const order = orders.find((one) => (at & ((1 << one) - 1)) === 0 && at + (1 << one) <= end) ?? 0;
      this.#state.fill(TAIL, at, at + (1 << order));
      this.#state[at] = ALLOCATED + order;
      this.#runs.changed(at);
      blocks.push({ page: this.#origin + at, order });
      at += 1 << order;
    }
    return blocks;
  }

  /** From the top down in the largest blocks there are, so that the lowest comes to lie at the head of its list. */
  #release(start: number, end: number): void {
    for (let top = end; top > start; ) {
      let order = 0;
      while (order < MAX_PAGE_ORDER && isAligned(top, order + 1) && top - (2 << order) >= start) order += 1;
      const block = top - (1 << order);
      for (let page = block; page < top; page += 1) {
        if (this.#state[page] !== RESERVED) assert(false, `page ${this.#origin + page} is reserved`);
      }
      this.#state.fill(TAIL, block, top);
      this.#free(block, order);
      top = block;
    }
  }

  #free(block: number, blockOrder: number): void {
    let [page, order] = [block, blockOrder];
    this.#freePageCount += 1 << order; // I2
    this.#state[page] = TAIL;
    while (order < MAX_PAGE_ORDER) {
      const isUpper = !isAligned(page, order + 1);
      const buddy = isUpper ? page - (1 << order) : page + (1 << order);
      if (this.#state[buddy] !== order) break; // I1
      this.#unlink(buddy, order);
      this.#state[buddy] = TAIL;
      if (isUpper) page = buddy;
      order += 1;
    }
    this.#link(page, order);
    this.#runs.changed(page);
  }

  #orderOfFreeBlockAt(page: number): number | undefined {
    for (let order = 0; order <= MAX_PAGE_ORDER; order += 1) {
      if (this.#state[startOfBlock(page, order)] === order) return order;
    }
    return undefined;
  }

  #link(page: number, order: number): void {
    const first = this.#heads[order];
    this.#state[page] = order;
    this.#next[page] = first;
    this.#previous[page] = NONE;
    if (first !== NONE) this.#previous[first] = page;
    this.#heads[order] = page;
    this.#blocks[order] += 1;
  }

  #unlink(page: number, order: number): void {
    const next = this.#next[page];
    const previous = this.#previous[page];
    if (previous === NONE) this.#heads[order] = next;
    else this.#next[previous] = next;
    if (next !== NONE) this.#previous[next] = previous;
    this.#blocks[order] -= 1;
  }
}

/** The free runs of every section, looked at again only where something has changed. */
class SectionRuns {
  readonly #changed: Uint8Array;
  /** Free pages at the start of each section, at its end, and the longest run in it. */
  readonly #leading: Int32Array;
  readonly #trailing: Int32Array;
  readonly #longest: Int32Array;

  constructor(private readonly state: Int8Array) {
    const sections = state.length / SECTION_PAGES;
    this.#changed = new Uint8Array(sections);
    this.#leading = new Int32Array(sections);
    this.#trailing = new Int32Array(sections);
    this.#longest = new Int32Array(sections);
  }

  /** The block at that page has changed; it lies in one section (I3). */
  changed(page: number): void {
    this.#changed[page >> MAX_PAGE_ORDER] = 1;
  }

  longest(): number {
    let [longest, run] = [0, 0];
    for (let section = 0; section < this.#changed.length; section += 1) {
      if (this.#changed[section] === 1) this.#look(section);
      longest = Math.max(longest, this.#longest[section], run + this.#leading[section]);
      run = this.#leading[section] === SECTION_PAGES ? run + SECTION_PAGES : this.#trailing[section];
    }
    return longest;
  }

  #look(section: number): void {
    const start = section * SECTION_PAGES;
    const end = start + SECTION_PAGES;
    let [leading, longest, run, runStart] = [0, 0, 0, start];
    for (let page = start; page < end; ) {
      const state = this.state[page];
      if (state >= 0 && state <= MAX_PAGE_ORDER) {
        run += 1 << state;
        page += 1 << state;
        longest = Math.max(longest, run);
        if (runStart === start) leading = run;
      } else {
        page += state >= ALLOCATED ? 1 << (state - ALLOCATED) : 1;
        run = 0;
        runStart = page;
      }
    }
    this.#leading[section] = leading;
    this.#trailing[section] = run;
    this.#longest[section] = longest;
    this.#changed[section] = 0;
  }
}

// Page numbers inside a zone are 32-bit, so that these may be, too.
const startOfBlock = (page: number, order: number): number => page & -(1 << order);
const isAligned = (page: number, order: number): boolean => (page & ((1 << order) - 1)) === 0;
