/**
 * Which pages of an aged region stay free: those that other users have left between theirs.
 *
 * The region is cut into cells of 2^order pages, aligned to their size. About half of what stays free is whole cells, no
 * two of them neighbours; the rest is single pages, spread over the other cells. The last page of these cells, and the
 * first one behind a whole cell, are never free: so no free run is longer than a cell. Within those bounds each
 * selection is as likely as any other, and the count is exact.
 *
 * As long as single pages at even offsets suffice, no two of them are buddies, so that nothing between order 0 and the
 * largest order is free. Only if more is to stay free, odd offsets are taken as well.
 */
import { ErrnoError, type RandomStream } from '@dmabuf-lab/core/base';
import { MAX_PAGE_ORDER } from './buddy-allocator.js';
import type { PageRange } from './page-range.js';

/**
 * Plans the aging of a region.
 *
 * @param region ranges in rising order that do not overlap
 * @param freePages how many stay free, exactly
 * @param largestFreeOrder no free run is longer than 2^largestFreeOrder pages
 * @returns what stays free, in rising order: blocks of the largest order and single pages
 * @throws ErrnoError EINVAL when so many pages cannot stay free in runs so short
 */
export function planAging(
  region: readonly PageRange[],
  freePages: number,
  largestFreeOrder: number,
  random: RandomStream,
): PageRange[] {
  const blockPages = 2 ** largestFreeOrder;
  const cellPages = Math.max(2, blockPages);
  const cells = cellsOf(region, cellPages);
  const wholeWanted = largestFreeOrder === 0 ? 0 : Math.floor(freePages / 2 / blockPages);
  const wholeCount = Math.min(wholeWanted, Math.floor(cells.length / 2));
  const isWhole = chooseWholeCells(cells.length, wholeCount, random);
  // Offsets 0, 2, ... of the other cells but for the first one behind a whole cell, and 1, 3, ... but for the last one.
  const evenCount = (cells.length - wholeCount) * (cellPages / 2) - wholeCount;
  const oddCount = (cells.length - wholeCount) * (cellPages / 2 - 1);
  const singles = freePages - wholeCount * blockPages;
  if (singles > evenCount + oddCount) {
    const room = wholeCount * blockPages + evenCount + oddCount;
    const message = `Cannot age memory: in runs of at most ${blockPages} pages only ${room} can be free, got ${freePages}`;
    throw new ErrnoError('EINVAL', 'heap_age', message, { freePages, largestFreeOrder });
  }
  const even = new Selection(Math.min(singles, evenCount), evenCount, random);
  const odd = new Selection(singles - even.wanted, oddCount, random);
  const free: PageRange[] = [];
  for (let cell = 0; cell < cells.length; cell += 1) {
    if (isWhole[cell] === 1) free.push({ firstPage: cells[cell], pageCount: blockPages });
    else {
      const start = cell > 0 && isWhole[cell - 1] === 1 ? 1 : 0;
      for (let offset = start; offset < cellPages - 1; offset += 1) {
        const isFree = offset % 2 === 0 ? even.takeNext() : odd.takeNext();
        if (isFree) free.push({ firstPage: cells[cell] + offset, pageCount: 1 });
      }
    }
  }
  return free;
}

/** The smallest order from 4 on in whose runs so many pages of the region can be free; the largest, if none is enough. */
export function smallestAgingOrder(region: readonly PageRange[], freePages: number): number {
  let order = 4;
  while (order < MAX_PAGE_ORDER && cellsOf(region, 2 ** order).length * (2 ** order - 1) < freePages) order += 1;
  return order;
}

/** First pages of the aligned cells that lie in the region as a whole. */
function cellsOf(region: readonly PageRange[], cellPages: number): number[] {
  const cells: number[] = [];
  for (const { firstPage, pageCount } of region) {
    const start = Math.ceil(firstPage / cellPages) * cellPages;
    for (let page = start; page + cellPages <= firstPage + pageCount; page += cellPages) cells.push(page);
  }
  return cells;
}

/** Marks cells of which no two are neighbours and none is the last, whose neighbour is not of the region. */
function chooseWholeCells(cells: number, count: number, random: RandomStream): Uint8Array {
  const isWhole = new Uint8Array(cells);
  // A chosen cell takes the one behind it along, so there are so many places to choose from.
  const places = new Selection(count, cells - count, random);
  for (let cell = 0; places.wanted > 0; cell += 1) {
    if (!places.takeNext()) continue;
    isWhole[cell] = 1;
    cell += 1;
  }
  return isWhole;
}

/** Takes so many of a sequence of items, each selection as likely as any other. Source: Knuth, TAOCP 2, algorithm S. */
class Selection {
  constructor(
    public wanted: number,
    public left: number,
    private readonly random: RandomStream,
  ) {}

  takeNext(): boolean {
    const isTaken = this.wanted > 0 && (this.wanted === this.left || this.random.uniform() * this.left < this.wanted);
    this.left -= 1;
    if (isTaken) this.wanted -= 1;
    return isTaken;
  }
}
