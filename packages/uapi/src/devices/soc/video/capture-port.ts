/** Where a source's frames leave behind a capture node: the buffers that user space has queued, oldest first. */
import type { Task } from '@dmabuf-lab/core/base';
import type { DeviceStatistics, FrameFormat, OutputPort } from '@dmabuf-lab/core/driver';
import type { SimulatedKernel } from '../../../kernel/kernel.js';
import type { Vb2Buffer } from '../../v4l2/vb2-buffer.js';
import type { FrameContents } from '../frame-contents.js';
import type { NodeFrame } from '../node-frame.js';
import { cancelled } from './driver-run.js';
import { writtenFrame } from './frame-buffers.js';

/** What the port has of its node. */
export interface CaptureBuffers {
  /** Takes the oldest that is queued; undefined when none is, or the stream is over. */
  take(): Vb2Buffer | undefined;
  /** It is queued again, before all others. */
  putBack(buffer: Vb2Buffer): void;
  /** It holds a picture. */
  complete(buffer: Vb2Buffer, frame: NodeFrame): void;
}

export interface CapturePortParts {
  readonly kernel: SimulatedKernel;
  readonly contents: FrameContents;
  readonly statistics: DeviceStatistics;
  readonly format: FrameFormat;
  readonly buffers: CaptureBuffers;
}

export class CapturePort implements OutputPort {
  readonly format: FrameFormat;
  readonly #taken = new Map<NodeFrame, Vb2Buffer>();
  #isClosed = false;

  constructor(private readonly parts: CapturePortParts) {
    this.format = parts.format;
  }

  /** The stream is over: frames that the driver still has are no longer its own. */
  close(): void {
    this.#isClosed = true;
    for (const frame of this.#taken.keys()) frame.revoke();
    this.#taken.clear();
  }

  /** For sources that wait, which lose no frame. @throws ErrnoError ECANCELED when the stream is over */
  *acquire(): Task<NodeFrame> {
    const look = (): NodeFrame | 'ended' | undefined => (this.#isClosed ? 'ended' : this.#take());
    const frame = yield* this.parts.kernel.wait(look, Number.POSITIVE_INFINITY, 'a queued buffer');
    if (frame === undefined || frame === 'ended') throw cancelled();
    return frame;
  }

  *acquireForTick(): Task<NodeFrame | undefined> {
    return this.#take();
  }

  #take(): NodeFrame | undefined {
    const buffer = this.#isClosed ? undefined : this.parts.buffers.take();
    if (buffer === undefined) return undefined;
    const frame = writtenFrame(buffer, this.format, this.parts.contents);
    this.#taken.set(frame, buffer);
    frame.lend(() => this.cancel(frame));
    return frame;
  }

  cancel(frame: NodeFrame): void {
    frame.surrender();
    const buffer = this.#taken.get(frame);
    if (buffer !== undefined && this.#taken.delete(frame)) this.parts.buffers.putBack(buffer);
  }

  *push(frame: NodeFrame): Task<void> {
    frame.surrender();
    const buffer = this.#taken.get(frame);
    if (buffer === undefined || !this.#taken.delete(frame)) return;
    this.parts.statistics.madeFrame();
    this.parts.buffers.complete(buffer, frame);
  }

  /** User space has the room. */
  *room(): Task<void> {}
}
