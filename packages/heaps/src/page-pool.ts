/**
 * Pages kept ready: zeroed, by order, in the cache state that their users need.
 *
 * A pool hands out pages above 4 GiB first; under pressure its shrinker gives back those below first, since others may be
 * able to use no other. Pages that are freed are zeroed before they come back here, at once or in the background.
 *
 * Source: dmabuf_page_pool (John Stultz' RFC of 2020, never merged), after drivers/staging/android/ion/ion_page_pool.c,
 * v5.10: two lists, high and low; ion_page_pool_shrink. Differs: low memory is what 32 bits reach, as there is no highmem,
 * and the shrinker frees it first.
 */
import type { CacheState } from './buf-ops.js';
import { type Block, isLowPage } from './page-zones.js';

/** How a pool is kept. */
export interface PoolOptions {
  /** Most that it keeps, in bytes. */
  readonly limitBytes: number;
  /** What it is filled with before the run, in bytes, in blocks of the largest order there are. */
  readonly fillBytes: number;
}

interface Lists {
  readonly high: number[];
  readonly low: number[];
}

/** The pages of one cache state. */
export class PagePool {
  readonly #byOrder = new Map<number, Lists>();
  #pages = 0;
  hits = 0;
  misses = 0;

  constructor(
    readonly state: CacheState,
    readonly limitPages: number,
  ) {}

  get pageCount(): number {
    return this.#pages;
  }

  /** Pages below 4 GiB among them. */
  get lowPageCount(): number {
    let count = 0;
    for (const [order, { low }] of this.#byOrder) count += low.length * 2 ** order;
    return count;
  }

  /**
   * Takes a block, above 4 GiB first, and counts whether there was one.
   *
   * @param lowOnly only below 4 GiB
   */
  take(order: number, lowOnly: boolean): Block | undefined {
    const lists = this.#byOrder.get(order);
    const page = (lowOnly ? undefined : lists?.high.pop()) ?? lists?.low.pop();
    if (page === undefined) {
      this.misses += 1;
      return undefined;
    }
    this.hits += 1;
    this.#pages -= 2 ** order;
    return { page, order };
  }

  /** Puts a zeroed block in. @returns false when the pool is full */
  put({ page, order }: Block): boolean {
    if (this.#pages + 2 ** order > this.limitPages) return false;
    let lists = this.#byOrder.get(order);
    if (lists === undefined) {
      lists = { high: [], low: [] };
      this.#byOrder.set(order, lists);
    }
    (isLowPage(page) ? lists.low : lists.high).push(page);
    this.#pages += 2 ** order;
    return true;
  }

  /**
   * Gives back at least so many pages, or all there are: those below 4 GiB first, large blocks first.
   *
   * @param lowOnly only below 4 GiB
   */
  shrink(pageCount: number, lowOnly = false): Block[] {
    const freed: Block[] = [];
    let left = pageCount;
    const orders = [...this.#byOrder.keys()].sort((a, b) => b - a);
    for (const list of lowOnly ? (['low'] as const) : (['low', 'high'] as const)) {
      for (const order of orders) {
        const pages = this.#byOrder.get(order)?.[list] ?? [];
        while (left > 0 && pages.length > 0) {
          freed.push({ page: pages.pop() ?? 0, order });
          left -= 2 ** order;
          this.#pages -= 2 ** order;
        }
      }
    }
    return freed;
  }
}
