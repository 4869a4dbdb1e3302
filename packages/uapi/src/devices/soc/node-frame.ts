/** A frame behind a device node: a buffer that user space has queued or submitted. */
import type { Nanoseconds } from '@dmabuf-lab/core/base';
import type { CodedFrame, Frame, FrameFormat } from '@dmabuf-lab/core/driver';
import type { Fence } from '@dmabuf-lab/core/sync';
import type { Page } from '../../kernel/pages.js';
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
}

export class NodeFrame implements Frame {
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

  constructor({ format, pages, contents, work }: NodeFrameInit) {
    this.format = format;
    this.pages = pages;
    this.work = work;
    this.content = contents.of(pages);
    this.bufferNumber = this.content?.bufferNumber ?? contents.numberOf(pages);
    if (this.content === undefined) return;
    this.sequence = this.content.sequence;
    this.capturedNs = this.content.capturedNs;
    this.checksum = this.content.checksum;
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
