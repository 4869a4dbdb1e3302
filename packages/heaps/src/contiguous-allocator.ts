/**
 * First fit of contiguous, aligned runs in one range of pages: the allocator of a CMA region.
 *
 * The live runs are kept in rising order, and what lies between two of them is free. So both allocation and the largest
 * free run cost one step per live run, of which there are few, and not per page.
 *
 * Source: mm/cma.c (cma_alloc, cma_release), drivers/dma-buf/heaps/cma_heap.c, v6.12. Differs: no page is lent to movable
 * users, so that a free run is never busy.
 */
import { assert } from '@dmabuf-lab/core/base';
import { orderOfPages, type PageRange } from './page-range.js';

/** Runs are aligned to at most 2^8 pages, 1 MiB. Source: CONFIG_CMA_ALIGNMENT, kernel/dma/Kconfig, v6.12. */
export const CMA_ALIGNMENT_ORDER = 8;

export class ContiguousAllocator {
  /** Live runs in rising order. */
  readonly #live: PageRange[] = [];
  #freePageCount: number;

  /** @param alignmentOrder no run is aligned to more than 2^alignmentOrder pages */
  constructor(
    readonly range: PageRange,
    readonly alignmentOrder = CMA_ALIGNMENT_ORDER,
  ) {
    assert(Number.isInteger(alignmentOrder) && alignmentOrder >= 0, 'an order is a non-negative integer');
    this.#freePageCount = range.pageCount;
  }

  get freePageCount(): number {
    return this.#freePageCount;
  }

  /** Alignment, in pages, of the first page of a run of that many pages; of its number, wherever the range starts. */
  alignmentPages(pageCount: number): number {
    return 2 ** Math.min(orderOfPages(pageCount), this.alignmentOrder);
  }

  /**
   * Takes the lowest aligned run of that many pages.
   *
   * @returns its first page; undefined when there is none
   */
  allocRun(pageCount: number): number | undefined {
    assert(pageCount > 0, 'a run is at least one page');
    const alignment = this.alignmentPages(pageCount);
    let index = 0;
    for (const gap of this.#gaps()) {
      const firstPage = Math.ceil(gap.firstPage / alignment) * alignment;
      if (firstPage + pageCount <= gap.firstPage + gap.pageCount) {
        this.#live.splice(index, 0, { firstPage, pageCount });
        this.#freePageCount -= pageCount;
        return firstPage;
      }
      index += 1;
    }
    return undefined;
  }

  /** Takes a run where it lies, whatever its alignment. @returns whether all of it was free */
  takeRun({ firstPage, pageCount }: PageRange): boolean {
    let index = 0;
    for (const gap of this.#gaps()) {
      if (firstPage >= gap.firstPage && firstPage + pageCount <= gap.firstPage + gap.pageCount) {
        this.#live.splice(index, 0, { firstPage, pageCount });
        this.#freePageCount -= pageCount;
        return true;
      }
      index += 1;
    }
    return false;
  }

  /**
   * Gives a run back.
   *
   * @throws InvariantError when that run is not out, as after a double free
   */
  freeRun(firstPage: number, pageCount: number): void {
    const index = this.#live.findIndex((run) => run.firstPage === firstPage && run.pageCount === pageCount);
    if (index < 0) assert(false, `a run of ${pageCount} pages starts at page ${firstPage}`);
    this.#live.splice(index, 1);
    this.#freePageCount += pageCount;
  }

  largestFreeRunPages(): number {
    let largest = 0;
    for (const gap of this.#gaps()) largest = Math.max(largest, gap.pageCount);
    return largest;
  }

  /** What lies before each live run and after the last; some are empty. */
  *#gaps(): Generator<PageRange> {
    let firstPage = this.range.firstPage;
    for (const run of this.#live) {
      yield { firstPage, pageCount: run.firstPage - firstPage };
      firstPage = run.firstPage + run.pageCount;
    }
    yield { firstPage, pageCount: this.range.firstPage + this.range.pageCount - firstPage };
  }
}
