/** A frame behind a device node: a buffer that user space has queued or submitted. */
import { ERRNO, isErrno, type Nanoseconds } from '@dmabuf-lab/core/base';
import { type CodedFrame, type Frame, type FrameFormat, LentFrame } from '@dmabuf-lab/core/driver';
import type { Fence } from '@dmabuf-lab/core/sync';
import type { DmaBufFile } from '../../files/dma-buf.js';
import { type Page, pageRuns } from '../../kernel/pages.js';
import type { FrameContent, FrameContents } from './frame-contents.js';

/** A submission of user space: what it waits for, and what is to be said when it has been done. */
export interface SubmittedWork {
  /** Have to be signalled before it begins. */
  readonly dependencies: readonly Fence[];
  /** Signals its fence. Never waits. */
  end(error: 'EIO' | 'ECANCELED' | undefined): void;
}

export interface NodeFrameInit {
  readonly format: FrameFormat;
  /** Mapped for the device until the frame goes back. */
  readonly pages: readonly Page[];
  readonly contents: FrameContents;
  /** Absent where no fence orders it, as in V4L2. */
  readonly work?: SubmittedWork;
  /** Dma-bufs by which the CPU reaches the memory, and where the pages begin in them. */
  readonly shared?: { readonly files: readonly DmaBufFile[]; readonly offsetBytes: number };
}

export class NodeFrame extends LentFrame implements Frame {
  readonly format: FrameFormat;
  pages: readonly Page[];
  readonly bufferNumber: number;
  readonly work: SubmittedWork | undefined;
  /** What was in its memory when it came; undefined when no device had written it. */
  readonly content: FrameContent | undefined;
  sequence = 0;
  capturedNs: Nanoseconds = 0;
  checksum = 0;
  error = 0;
  coded?: CodedFrame;
  readonly #shared: NodeFrameInit['shared'];

  constructor({ format, pages, contents, work, shared }: NodeFrameInit) {
    super();
    this.format = format;
    this.#shared = shared;
    this.pages = pages;
    this.work = work;
    this.content = contents.of(pages);
    this.bufferNumber = this.content?.bufferNumber ?? contents.numberOf(pages);
    if (this.content === undefined) return;
    this.sequence = this.content.sequence;
    this.capturedNs = this.content.capturedNs;
    this.checksum = this.content.checksum;
  }

  /** A device is about to read it, past the caches of the CPU; what is stale there is found, and is bad in strict mode. */
  readByDevice(): void {
    const { files = [], offsetBytes = 0 } = this.#shared ?? {};
    for (const { cpu } of files) {
      try {
        cpu.view?.deviceRead(offsetBytes, this.format.sizeBytes);
      } catch (error) {
        if (!isErrno(error)) throw error;
        this.error = ERRNO[error.code];
      }
    }
  }

  /** A device has written it, past the caches of the CPU: what they hold of it is old. */
  writtenByDevice(): void {
    const { files = [], offsetBytes = 0 } = this.#shared ?? {};
    if (this.pages.length === 0 || !files.some(({ cpu }) => cpu.view !== undefined)) return;
    const bytes = Uint8Array.from(Buffer.concat(pageRuns(this.pages))).subarray(0, this.format.sizeBytes);
    for (const { cpu } of files) cpu.view?.deviceWrite(offsetBytes, bytes);
  }

  /** Its buffer has been taken away: whoever goes on with it finds no memory. */
  revoke(): void {
    this.pages = [];
  }

  describe(sequence: number, capturedNs: Nanoseconds): void {
    this.sequence = sequence;
    this.capturedNs = capturedNs;
  }

  /** User space has the fence already: it got it when it submitted. */
  readyAfter(): void {}
}
