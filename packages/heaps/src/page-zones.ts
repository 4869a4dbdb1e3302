/**
 * The page allocator of one memory window: what lies below 4 GiB and what lies above are zones of their own.
 *
 * All heaps of scattered or contiguous pages of that window draw from it, so that the system heap can eat the low pages that
 * others need, as on a machine. Pages above 4 GiB are handed out first.
 *
 * Source: ZONE_DMA32 and ZONE_NORMAL, and the zonelist order of __alloc_pages, mm/page_alloc.c, v6.12.
 */
import { ErrnoError, physAddr } from '@dmabuf-lab/core/base';
import type { AddressWindow } from '@dmabuf-lab/core/constraints';
import { PAGE_SIZE, type PhysicalMemory } from '@dmabuf-lab/core/memory';
import { BuddyAllocator, MAX_PAGE_ORDER } from './buddy-allocator.js';
import { type PageRange, pageRangeOf, windowOfPages, withoutHoles } from './page-range.js';

/** First page that 32 bits do not reach. */
const DMA32_END_PAGE = 2 ** 32 / PAGE_SIZE;

/** Whole pages in one window of the memory, with the holes that belong to others, such as a CMA region. */
export interface Zone {
  readonly base: number;
  readonly sizeBytes: number;
  /** In bytes from the base; by default none. */
  readonly holes?: readonly { readonly offset: number; readonly sizeBytes: number }[];
}

/** Which pages will do. */
export type Reach = 'any' | 'low';

/** A block of 2^order pages. */
export interface Block {
  readonly page: number;
  readonly order: number;
}

/** Whether a page lies below 4 GiB. */
export function isLowPage(page: number): boolean {
  return page < DMA32_END_PAGE;
}

/** Whoever keeps free pages of the zones for itself, and gives them back under pressure. */
export interface Shrinker {
  /** Pages it could give back. */
  reclaimablePages(reach: Reach): number;
  /** Gives back at least so many, or all it has. */
  shrink(pageCount: number, reach: Reach): void;
}

/** What lies on one side of 4 GiB. */
interface MemoryZone {
  readonly low: boolean;
  readonly buddy: BuddyAllocator;
  readonly ranges: readonly PageRange[];
}

export class PageZones {
  readonly #shrinkers: Shrinker[] = [];
  /** The zones that there are: above 4 GiB first. */
  readonly #zones: readonly MemoryZone[];

  /**
   * @throws ErrnoError EINVAL when the zone or a hole is not whole pages, or the holes leave nothing
   * @throws ErrnoError EFAULT when no single window of the memory backs the zone
   */
  constructor(
    readonly name: string,
    memory: PhysicalMemory,
    readonly zone: Zone,
  ) {
    const range = pageRangeOf(zone, `the zone of heap ${name}`);
    const holes = (zone.holes ?? []).map(({ offset, sizeBytes }) =>
      pageRangeOf({ base: zone.base + offset, sizeBytes }, `a hole in the zone of heap ${name}`),
    );
    memory.view(physAddr(zone.base), zone.sizeBytes);
    const end = range.firstPage + range.pageCount;
    const split = Math.min(Math.max(DMA32_END_PAGE, range.firstPage), end);
    const parts = [
      { low: false, part: { firstPage: split, pageCount: end - split } },
      { low: true, part: { firstPage: range.firstPage, pageCount: split - range.firstPage } },
    ];
    this.#zones = parts.flatMap(({ low, part }) => {
      const ranges = part.pageCount > 0 ? withoutHoles(part, holes) : [];
      return ranges.length === 0 ? [] : [{ low, ranges, buddy: new BuddyAllocator(part, holes) }];
    });
    if (this.#zones.length === 0) {
      throw new ErrnoError('EINVAL', 'heap_create', `Cannot create heap ${name}: holes leave nothing of its zone`);
    }
  }

  /** What is not a hole, in rising order. */
  ranges(reach: Reach = 'any'): PageRange[] {
    const ranges = this.#reached(reach).flatMap((zone) => zone.ranges);
    return ranges.sort((a, b) => a.firstPage - b.firstPage);
  }

  windows(reach: Reach = 'any'): AddressWindow[] {
    return joined(this.ranges(reach)).map(windowOfPages);
  }

  pageCount(reach: Reach = 'any'): number {
    return this.#reached(reach).reduce((sum, { buddy }) => sum + buddy.pageCount, 0);
  }

  freePageCount(reach: Reach = 'any'): number {
    return this.#reached(reach).reduce((sum, { buddy }) => sum + buddy.freePageCount, 0);
  }

  /** The longest stretch of free pages within a zone. */
  largestFreeRunPages(reach: Reach = 'any'): number {
    return Math.max(0, ...this.#reached(reach).map(({ buddy }) => buddy.largestFreeRunPages()));
  }

  /** Number of free blocks of each order from 0 to 10, as /proc/buddyinfo shows them. */
  freeBlocksByOrder(reach: Reach = 'any'): number[] {
    const counts = new Array<number>(MAX_PAGE_ORDER + 1).fill(0);
    for (const { buddy } of this.#reached(reach)) {
      for (const [order, count] of buddy.freeBlocksByOrder().entries()) counts[order] += count;
    }
    return counts;
  }

  /** Registers a shrinker; under pressure they are asked in this order. Source: register_shrinker, mm/shrinker.c, v6.12. */
  addShrinker(shrinker: Shrinker): void {
    this.#shrinkers.push(shrinker);
  }

  /** Pages that are free, or would be under pressure. */
  availablePageCount(reach: Reach = 'any'): number {
    return this.#shrinkers.reduce((sum, one) => sum + one.reclaimablePages(reach), this.freePageCount(reach));
  }

  /** Has pages given back until so many are free, as far as there are any. */
  reclaim(pageCount: number, reach: Reach): void {
    for (const shrinker of this.#shrinkers) {
      const missing = pageCount - this.freePageCount(reach);
      if (missing <= 0) return;
      shrinker.shrink(missing, reach);
    }
  }

  /** Takes a block; undefined when there is none of that order. */
  take(order: number, reach: Reach = 'any'): Block | undefined {
    for (const { buddy, low } of this.#zones) {
      if (reach === 'low' && !low) continue;
      const page = buddy.allocPages(order);
      if (page !== undefined) return { page, order };
    }
    return undefined;
  }

  /** Takes so many abutting pages: a block, whose tail goes back. The blocks returned make one run. */
  takeRun(pageCount: number, order: number, reach: Reach = 'any'): Block[] | undefined {
    for (const { buddy, low } of this.#zones) {
      if (reach === 'low' && !low) continue;
      const page = buddy.allocPages(order);
      if (page !== undefined) return buddy.splitPages(page, order, pageCount);
    }
    return undefined;
  }

  /** Gives a block back. @throws InvariantError when it is not out */
  give({ page, order }: Block): void {
    this.#zoneOf(page).freePages(page, order);
  }

  /** Takes all pages of a range out of the allocator that are free, for good, and gives others back; see `age`. */
  rearrange(region: readonly PageRange[], free: readonly PageRange[]): void {
    for (const range of region) this.#byZone(range, (buddy, part) => buddy.reserveRange(part));
    // From the top down, so that the lowest pages come to lie at the head of the free lists.
    for (const range of [...free].reverse()) this.#byZone(range, (buddy, part) => buddy.releaseRange(part));
  }

  #reached(reach: Reach): readonly MemoryZone[] {
    return reach === 'any' ? this.#zones : this.#zones.filter(({ low }) => low);
  }

  #zoneOf(page: number): BuddyAllocator {
    const low = isLowPage(page);
    const zone = this.#zones.find((candidate) => candidate.low === low) ?? this.#zones[0];
    return zone.buddy;
  }

  #byZone(range: PageRange, act: (buddy: BuddyAllocator, part: PageRange) => void): void {
    for (const { buddy } of this.#zones) {
      const firstPage = Math.max(range.firstPage, buddy.zone.firstPage);
      const end = Math.min(range.firstPage + range.pageCount, buddy.zone.firstPage + buddy.zone.pageCount);
      if (firstPage < end) act(buddy, { firstPage, pageCount: end - firstPage });
    }
  }
}

/** Ranges that abut as one: a buffer of scattered pages may have a run across 4 GiB. */
function joined(ranges: readonly PageRange[]): PageRange[] {
  const result: PageRange[] = [];
  for (const range of ranges) {
    const last = result.at(-1);
    if (last === undefined || last.firstPage + last.pageCount < range.firstPage) result.push(range);
    else result[result.length - 1] = { ...last, pageCount: range.firstPage + range.pageCount - last.firstPage };
  }
  return result;
}
