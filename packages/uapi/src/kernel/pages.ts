/** Pages of memory as kernel objects hold them: bytes of the simulated board. */
import { PAGE_BYTES } from '../abi/fcntl.js';

/** One page, 4096 bytes: a view of physical memory. */
export type Page = Uint8Array;

/** Wants to know what the processor stores. */
export interface PageWatcher {
  /** A process has stored into a page. Called for each, and often. */
  written(page: Page): void;
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
