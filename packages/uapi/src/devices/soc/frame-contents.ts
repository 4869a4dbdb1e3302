/**
 * What devices have written where.
 *
 * In a pipeline a frame carries its sequence number, its time and its checksum along. User space passes descriptors, which
 * carry nothing; so what a device has sealed is kept by the memory that it lies in, and the next device finds it there.
 */
import type { Nanoseconds } from '@dmabuf-lab/core/base';
import type { Page, PageWatcher } from '../../kernel/pages.js';

/** What a device has sealed. */
export interface FrameContent {
  /** As in the stamps of its pages. */
  readonly bufferNumber: number;
  readonly sequence: number;
  readonly capturedNs: Nanoseconds;
  readonly checksum: number;
  /** The processor has drawn into it since: what devices have sealed cannot be checked any more. */
  readonly isTouched?: boolean;
}

export class FrameContents implements PageWatcher {
  /** The first page of the picture that a page is of. */
  readonly #firstOf = new WeakMap<Page, Page>();
  readonly #byPage = new WeakMap<Page, FrameContent>();
  readonly #numbers = new WeakMap<Page, number>();
  #buffers = 0;

  /** What lies in this memory; undefined when no device has written it, as when the processor did. */
  of(pages: readonly Page[]): FrameContent | undefined {
    return this.#byPage.get(pages[0]);
  }

  seal(pages: readonly Page[], content: FrameContent): void {
    this.#byPage.set(pages[0], content);
    const isKnown = this.#firstOf.get(pages[0]) === pages[0] && this.#firstOf.get(pages[pages.length - 1]) === pages[0];
    if (!isKnown) for (const page of pages) this.#firstOf.set(page, pages[0]);
  }

  /** It keeps its number and its time: it is the same picture, drawn into. */
  written(page: Page): void {
    const first = this.#firstOf.get(page);
    if (first === undefined) return;
    const content = this.#byPage.get(first);
    if (content !== undefined && content.isTouched !== true) this.#byPage.set(first, { ...content, isTouched: true });
  }

  /** The number of a buffer, the same for all devices: 1, 2, … in the order in which they first met. */
  numberOf(pages: readonly Page[]): number {
    const known = this.#numbers.get(pages[0]);
    if (known !== undefined) return known;
    this.#buffers += 1;
    this.#numbers.set(pages[0], this.#buffers);
    return this.#buffers;
  }
}
