/** Pages of memory as kernel objects hold them: bytes of the simulated board. */
import { PAGE_BYTES } from '../abi/fcntl.js';

/** One page, 4096 bytes: a view of physical memory. */
export type Page = Uint8Array;

/** Wants to know what the processor stores, and where memory goes. */
export interface PageWatcher {
  /** A process has stored into a page. Called for each, and often. */
  written(page: Page): void;
  /**
   * A buffer has moved: its bytes are copied, and the old pages are nobody's.
   *
   * @param to as many as `from`, in the same order
   */
  moved?(from: readonly Page[], to: readonly Page[]): void;
}

/** Pages that were handed out together. */
export interface PageRun {
  readonly pages: readonly Page[];
  /** Gives them back; once. */
  free(): void;
}

/** Where the kernel has pages from. */
export interface PageAllocator {
  /**
   * Zeroed pages, all or none.
   *
   * @throws ErrnoError ENOMEM
   */
  allocate(count: number): PageRun;
}

/** Whole pages that hold so many bytes. */
export const pagesFor = (bytes: number): number => Math.ceil(bytes / PAGE_BYTES);
export const pageAligned = (bytes: number): number => pagesFor(bytes) * PAGE_BYTES;

/** Pages that follow each other in memory as one view. */
export function pageRuns(pages: readonly Page[]): Uint8Array[] {
  const runs: Uint8Array[] = [];
  for (const page of pages) {
    const last = runs.at(-1);
    if (last !== undefined && last.buffer === page.buffer && last.byteOffset + last.length === page.byteOffset) {
      runs[runs.length - 1] = new Uint8Array(last.buffer, last.byteOffset, last.length + page.length);
    } else runs.push(page);
  }
  return runs;
}
