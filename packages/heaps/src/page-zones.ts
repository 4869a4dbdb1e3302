/**
 * The page allocator of a board: of each memory window, what lies below 4 GiB and what lies above are zones of their own.
 *
 * All heaps of scattered or contiguous pages draw from it, so that the system heap can eat the low pages that others need,
 * as on a machine. The highest pages are handed out first.
 *
 * Source: ZONE_DMA32 and ZONE_NORMAL, and the zonelist order of __alloc_pages, mm/page_alloc.c, v6.12.
 */
import { assert, ErrnoError, physAddr } from '@dmabuf-lab/core/base';
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

/** Which pages will do; all when nothing is said. */
export interface Reach {
  /** Only below 4 GiB. */
  readonly lowOnly?: boolean;
  /** Only of these zones, by their place in the list that the allocator was made with. */
  readonly zones?: readonly number[];
}

/** Any page. */
export const ANY_PAGE: Reach = {};

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

/** What of a zone lies on one side of 4 GiB. */
interface MemoryZone {
  readonly index: number;
  readonly low: boolean;
  readonly buddy: BuddyAllocator;
  readonly ranges: readonly PageRange[];
}

export class PageZones {
  readonly #shrinkers: Shrinker[] = [];
  /** In the order in which they are taken from: the highest first. */
  readonly #zones: readonly MemoryZone[];

  /**
   * @param zones apart from each other
   * @throws ErrnoError EINVAL when a zone or a hole is not whole pages, or the holes leave nothing of a zone
   * @throws ErrnoError EFAULT when no single window of the memory backs a zone
   */
  constructor(
    readonly name: string,
    memory: PhysicalMemory,
    readonly zones: readonly Zone[],
  ) {
    const parts = zones.flatMap((zone, index) => partsOf(name, memory, zone, index));
    this.#zones = parts.sort((a, b) => b.buddy.zone.firstPage - a.buddy.zone.firstPage);
  }

  /** Whether a page is of those that will do. */
  reaches(page: number, { lowOnly, zones }: Reach): boolean {
    if (lowOnly && !isLowPage(page)) return false;
    return zones === undefined || zones.includes(this.#zoneOf(page).index);
  }

  /** What is not a hole, in rising order. */
  ranges(reach = ANY_PAGE): PageRange[] {
    const ranges = this.#reached(reach).flatMap((zone) => zone.ranges);
    return ranges.sort((a, b) => a.firstPage - b.firstPage);
  }

  windows(reach = ANY_PAGE): AddressWindow[] {
    return joined(this.ranges(reach)).map(windowOfPages);
  }

  pageCount(reach = ANY_PAGE): number {
    return this.#reached(reach).reduce((sum, { buddy }) => sum + buddy.pageCount, 0);
  }

  freePageCount(reach = ANY_PAGE): number {
    return this.#reached(reach).reduce((sum, { buddy }) => sum + buddy.freePageCount, 0);
  }

  /** The longest stretch of free pages within a zone. */
  largestFreeRunPages(reach = ANY_PAGE): number {
    return Math.max(0, ...this.#reached(reach).map(({ buddy }) => buddy.largestFreeRunPages()));
  }

  /** Number of free blocks of each order from 0 to 10, as /proc/buddyinfo shows them. */
  freeBlocksByOrder(reach = ANY_PAGE): number[] {
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
  availablePageCount(reach = ANY_PAGE): number {
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
  take(order: number, reach = ANY_PAGE): Block | undefined {
    for (const { buddy } of this.#reached(reach)) {
      const page = buddy.allocPages(order);
      if (page !== undefined) return { page, order };
    }
    return undefined;
  }

  /** Takes so many abutting pages: a block, whose tail goes back. The blocks returned make one run. */
  takeRun(pageCount: number, order: number, reach = ANY_PAGE): Block[] | undefined {
    for (const { buddy } of this.#reached(reach)) {
      const page = buddy.allocPages(order);
      if (page !== undefined) return buddy.splitPages(page, order, pageCount);
    }
    return undefined;
  }

  /**
   * Takes ranges where they lie, all or none, as blocks of the given orders, in the order of the ranges.
   *
   * @param orders largest first, 0 the last
   * @returns undefined when not all pages are free
   */
  takeRanges(ranges: readonly PageRange[], orders: readonly number[]): Block[] | undefined {
    const blocks: Block[] = [];
    for (const range of ranges) {
      let pages = 0;
      const parts: { buddy: BuddyAllocator; part: PageRange }[] = [];
      this.#byZone(range, (buddy, part) => {
        parts.push({ buddy, part });
        if (buddy.isFree(part)) pages += part.pageCount;
      });
      if (pages !== range.pageCount) {
        for (const block of blocks) this.give(block);
        return undefined;
      }
      // Zones are listed from the top down, and the buffer's pages rise.
      for (const { buddy, part } of parts.reverse()) blocks.push(...buddy.takeRange(part, orders));
    }
    return blocks;
  }

  /** Gives a block back. @throws InvariantError when it is not out */
  give({ page, order }: Block): void {
    this.#zoneOf(page).buddy.freePages(page, order);
  }

  /** Takes all pages of a range out of the allocator that are free, for good, and gives others back; see `age`. */
  rearrange(region: readonly PageRange[], free: readonly PageRange[]): void {
    for (const range of region) this.#byZone(range, (buddy, part) => buddy.reserveRange(part));
    // From the top down, so that the lowest pages come to lie at the head of the free lists.
    for (const range of [...free].reverse()) this.#byZone(range, (buddy, part) => buddy.releaseRange(part));
  }

  #reached({ lowOnly, zones }: Reach): readonly MemoryZone[] {
    if (!lowOnly && zones === undefined) return this.#zones;
    return this.#zones.filter(({ low, index }) => (!lowOnly || low) && (zones?.includes(index) ?? true));
  }

  #zoneOf(page: number): MemoryZone {
    const zone = this.#zones.find(({ buddy }) => {
      const { firstPage, pageCount } = buddy.zone;
      return firstPage <= page && page < firstPage + pageCount;
    });
    assert(zone !== undefined, `page ${page} is of a zone`);
    return zone;
  }

  #byZone(range: PageRange, act: (buddy: BuddyAllocator, part: PageRange) => void): void {
    for (const { buddy } of this.#zones) {
      const firstPage = Math.max(range.firstPage, buddy.zone.firstPage);
      const end = Math.min(range.firstPage + range.pageCount, buddy.zone.firstPage + buddy.zone.pageCount);
      if (firstPage < end) act(buddy, { firstPage, pageCount: end - firstPage });
    }
  }
}

/** A zone in two, where it lies on both sides of 4 GiB. */
function partsOf(name: string, memory: PhysicalMemory, zone: Zone, index: number): MemoryZone[] {
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
  ].flatMap(({ low, part }) => {
    const ranges = part.pageCount > 0 ? withoutHoles(part, holes) : [];
    return ranges.length === 0 ? [] : [{ index, low, ranges, buddy: new BuddyAllocator(part, holes) }];
  });
  if (parts.length > 0) return parts;
  throw new ErrnoError('EINVAL', 'heap_create', `Cannot create heap ${name}: holes leave nothing of its zone`);
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
