import { ErrnoError } from '@dmabuf-lab/core/base';
import type { AddressWindow } from '@dmabuf-lab/core/constraints';
import { PAGE_SIZE } from '@dmabuf-lab/core/memory';

/** A range of pages by number: page n lies at address n * 4096. */
export interface PageRange {
  readonly firstPage: number;
  readonly pageCount: number;
}

/**
 * The pages of an address range.
 *
 * @throws ErrnoError EINVAL when the range is empty or does not start and end at a page
 */
export function pageRangeOf(window: AddressWindow, what: string): PageRange {
  const { base, sizeBytes } = window;
  for (const value of [base, sizeBytes]) {
    if (Number.isSafeInteger(value) && value >= 0 && value % PAGE_SIZE === 0) continue;
    throw new ErrnoError('EINVAL', 'heap_create', `Cannot use ${what}: it must be whole pages, got ${value}`, {
      ...window,
    });
  }
  if (sizeBytes === 0) throw new ErrnoError('EINVAL', 'heap_create', `Cannot use ${what}: it is empty`, { ...window });
  return { firstPage: base / PAGE_SIZE, pageCount: sizeBytes / PAGE_SIZE };
}

/** The address range of pages. */
export function windowOfPages(range: PageRange): AddressWindow {
  return { base: range.firstPage * PAGE_SIZE, sizeBytes: range.pageCount * PAGE_SIZE };
}

/** What is left of a range without its holes, in rising order. Holes may overlap and may reach outside. */
export function withoutHoles(range: PageRange, holes: readonly PageRange[]): PageRange[] {
  const end = range.firstPage + range.pageCount;
  const left: PageRange[] = [];
  let firstPage = range.firstPage;
  const upTo = (page: number): void => {
    if (page > firstPage) left.push({ firstPage, pageCount: page - firstPage });
  };
  for (const hole of [...holes].sort((a, b) => a.firstPage - b.firstPage)) {
    upTo(Math.min(hole.firstPage, end));
    firstPage = Math.max(firstPage, hole.firstPage + hole.pageCount);
  }
  upTo(end);
  return left;
}

/** The smallest order whose block holds that many pages. Source: get_order(), include/asm-generic/getorder.h, v6.12. */
export function orderOfPages(pageCount: number): number {
  let order = 0;
  while (2 ** order < pageCount) order += 1;
  return order;
}
