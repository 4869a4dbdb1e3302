/**
 * First-fit allocation of contiguous pages with alignment, as CMA does over its bitmap.
 *
 * Source: cma_alloc, mm/cma.c, v6.12 (bitmap_find_next_zero_area_off). Differs: free runs are kept in a list, which finds
 * the same first fit; pages lent to movable users, and so "PFNs busy", are not modelled.
 */
import { ErrnoError } from '@dmabuf-lab/core/base';

/** Smallest order whose block holds that many pages. Source: get_order, v6.12. */
export function orderOf(pages: number): number {
  return Math.ceil(Math.log2(Math.max(1, pages)));
}

export class ContiguousAllocator {
  /** Free runs by rising start; never abutting. */
  readonly #free: { first: number; count: number }[];
  readonly #taken = new Map<number, number>();

  constructor(readonly pages: number) {
    this.#free = [{ first: 0, count: pages }];
  }

  get freePageCount(): number {
    return this.#free.reduce((sum, run) => sum + run.count, 0);
  }

  largestFreeRun(): number {
    return this.#free.reduce((largest, run) => Math.max(largest, run.count), 0);
  }

  /** Takes a run. @returns its first page, or undefined when no aligned free run is long enough */
  allocate(count: number, alignPages: number): number | undefined {
    for (const [i, run] of this.#free.entries()) {
      const first = Math.ceil(run.first / alignPages) * alignPages;
      const end = run.first + run.count;
      if (first + count > end) continue;
      const rest = [
        { first: run.first, count: first - run.first },
        { first: first + count, count: end - first - count },
      ];
      this.#free.splice(i, 1, ...rest.filter((piece) => piece.count > 0));
      this.#taken.set(first, count);
      return first;
    }
    return undefined;
  }

  /** Gives a run back. @throws ErrnoError EINVAL when no run that is out starts there (double free) */
  free(first: number): void {
    const count = this.#taken.get(first);
    if (count === undefined) {
      throw new ErrnoError('EINVAL', 'cma_release', `Cannot release page ${first}: no run that is out starts there`);
    }
    this.#taken.delete(first);
    let at = this.#free.findIndex((run) => run.first > first);
    if (at < 0) at = this.#free.length;
    this.#free.splice(at, 0, { first, count });
    const next = this.#free[at + 1];
    if (next !== undefined && first + count === next.first) {
      this.#free[at].count += next.count;
      this.#free.splice(at + 1, 1);
    }
    const before = this.#free[at - 1];
    if (before !== undefined && before.first + before.count === first) {
      before.count += this.#free[at].count;
      this.#free.splice(at, 1);
    }
  }
}
