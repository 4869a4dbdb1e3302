/**
 * What devices have written where.
 *
 * In a pipeline a frame carries its sequence number, its time and its checksum along. User space passes descriptors, which
 * carry nothing; so what a device has sealed is kept by the memory that it lies in, and the next device finds it there. It
 * goes along where the memory moves.
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

interface Picture {
  /** Where it begins. */
  first: Page;
  content: FrameContent;
}

export class FrameContents implements PageWatcher {
  /** The picture that a page is of. */
  readonly #pictures = new WeakMap<Page, Picture>();
  readonly #numbers = new WeakMap<Page, number>();
  #buffers = 0;

  /** What lies in this memory; undefined when no device has written it, as when the processor did. */
  of(pages: readonly Page[]): FrameContent | undefined {
    return this.#at(pages[0])?.content;
  }

  seal(pages: readonly Page[], content: FrameContent): void {
    const known = this.#at(pages[0]);
    if (known !== undefined && this.#pictures.get(pages[pages.length - 1]) === known) {
      known.content = content;
      return;
    }
    const picture = { first: pages[0], content };
    for (const page of pages) this.#pictures.set(page, picture);
  }

  /** The picture that begins with a page. */
  #at(page: Page): Picture | undefined {
    const picture = this.#pictures.get(page);
    return picture?.first === page ? picture : undefined;
  }

  /** It keeps its number and its time: it is the same picture, drawn into. */
  written(page: Page): void {
    const picture = this.#pictures.get(page);
    if (picture === undefined || picture.content.isTouched === true) return;
    picture.content = { ...picture.content, isTouched: true };
  }

  /** Pictures lie in the new pages now, and the buffer keeps its number. */
  moved(from: readonly Page[], to: readonly Page[]): void {
    for (const [i, page] of from.entries()) {
      const picture = this.#pictures.get(page);
      this.#pictures.delete(page);
      if (picture !== undefined) this.#pictures.set(to[i], picture);
      if (picture?.first === page) picture.first = to[i];
      const number = this.#numbers.get(page);
      this.#numbers.delete(page);
      if (number !== undefined) this.#numbers.set(to[i], number);
    }
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
