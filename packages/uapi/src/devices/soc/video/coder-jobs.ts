/**
 * The jobs of one open file of an encoder: a picture from the OUTPUT queue becomes a bitstream in a buffer of the CAPTURE queue.
 *
 * A job begins when there is a buffer on both sides and the device is free. The driver sees its ports: it takes the picture,
 * acquires the buffer, pushes it and releases the picture, and when it has done the last of these, both go back to user
 * space. A picture that it gives back without a bitstream is a job too. Source: the job loop of v4l2-mem2mem.c, v6.12.
 */
import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
import type { DeviceStatistics, FrameFormat, InputPort, OutputPort } from '@dmabuf-lab/core/driver';
import type { SimulatedKernel } from '../../../kernel/kernel.js';
import type { Vb2Buffer } from '../../v4l2/vb2-buffer.js';
import type { FrameContents } from '../frame-contents.js';
import type { NodeFrame } from '../node-frame.js';
import { cancelled } from './driver-run.js';
import { readFrame, writtenFrame } from './frame-buffers.js';

/** A job that has ended. */
export interface CoderResult {
  readonly source: Vb2Buffer;
  /** The driver could do nothing with the picture. */
  readonly isDropped: boolean;
  /** The bitstream, if there is one. */
  readonly target?: { readonly buffer: Vb2Buffer; readonly frame: NodeFrame };
}

/** What the jobs have of their node. */
export interface CoderBuffers {
  /** The picture of the next job, and whether there is one now. It stays queued until the job has ended. */
  nextSource(): Vb2Buffer | undefined;
  takeTarget(): Vb2Buffer | undefined;
  putBackTarget(buffer: Vb2Buffer): void;
  jobEnded(result: CoderResult): void;
}

export interface CoderJobsParts {
  readonly kernel: SimulatedKernel;
  readonly contents: FrameContents;
  readonly statistics: DeviceStatistics;
  readonly sourceFormat: FrameFormat;
  readonly targetFormat: FrameFormat;
  readonly buffers: CoderBuffers;
}

interface Running {
  readonly source: Vb2Buffer;
  readonly sourceFrame: NodeFrame;
  isReleased: boolean;
  isDropped: boolean;
  target?: { readonly buffer: Vb2Buffer; readonly frame: NodeFrame };
  isPushed: boolean;
}

export class CoderJobs {
  #running: Running | undefined;
  #isClosed = false;
  #count = 0;
  readonly input: InputPort;
  readonly output: OutputPort;

  constructor(private readonly parts: CoderJobsParts) {
    const { sourceFormat, targetFormat } = parts;
    const isClosed = (): boolean => this.#isClosed;
    this.input = {
      format: sourceFormat,
      take: () => this.#take(),
      tryTakeReady: () => this.#begin(),
      release: (frame) => this.#release(frame as NodeFrame, false),
      drop: (frame) => this.#release(frame as NodeFrame, true),
      handOver: (frame) => this.#release(frame as NodeFrame, false),
      get ended() {
        return isClosed();
      },
    };
    this.output = {
      format: targetFormat,
      acquire: () => this.#acquire(),
      acquireForTick: () => this.#acquireNow(),
      cancel: (frame) => this.#cancel(frame as NodeFrame),
      push: (frame) => this.#push(frame as NodeFrame),
      room: () => nothing(),
    };
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** The stream is over: no job begins, and the one that runs has lost its buffers. @returns the target to be queued again */
  close(): Vb2Buffer | undefined {
    this.#isClosed = true;
    const running = this.#running;
    this.#running = undefined;
    running?.sourceFrame.revoke();
    running?.target?.frame.revoke();
    return running?.target?.buffer;
  }

  *#take(): Task<NodeFrame | undefined> {
    const look = (): NodeFrame | 'ended' | undefined => (this.#isClosed ? 'ended' : this.#begin());
    const found = yield* this.parts.kernel.wait(look, Number.POSITIVE_INFINITY, 'a job');
    return found === 'ended' ? undefined : found;
  }

  #begin(): NodeFrame | undefined {
    if (this.#isClosed || this.#running !== undefined) return undefined;
    const source = this.parts.buffers.nextSource();
    if (source === undefined) return undefined;
    const sourceFrame = readFrame(source, this.parts.sourceFormat, this.parts.contents);
    if (sourceFrame.content === undefined) sourceFrame.describe(this.#count, this.parts.kernel.now());
    this.#count = sourceFrame.sequence + 1;
    this.parts.statistics.tookFrame();
    sourceFrame.lend(() => this.#release(sourceFrame, true));
    this.#running = { source, sourceFrame, isReleased: false, isDropped: false, isPushed: false };
    return sourceFrame;
  }

  /** The job has a buffer for its bitstream: it would not have begun without. */
  *#acquire(): Task<NodeFrame> {
    const frame = yield* this.parts.kernel.wait(() => this.#target(), Number.POSITIVE_INFINITY, 'a capture buffer');
    if (frame === undefined || frame === 'ended') throw cancelled();
    return frame;
  }

  *#acquireNow(): Task<NodeFrame | undefined> {
    const frame = this.#target();
    return frame === 'ended' ? undefined : frame;
  }

  #target(): NodeFrame | 'ended' | undefined {
    if (this.#isClosed) return 'ended';
    const running = this.#running;
    if (running === undefined || running.target !== undefined) return undefined;
    const buffer = this.parts.buffers.takeTarget();
    if (buffer === undefined) return undefined;
    const frame = writtenFrame(buffer, this.parts.targetFormat, this.parts.contents);
    running.target = { buffer, frame };
    frame.lend(() => this.#cancel(frame));
    return frame;
  }

  #cancel(frame: NodeFrame): void {
    frame.surrender();
    const running = this.#running;
    if (running?.target?.frame !== frame || running.isPushed) return;
    this.parts.buffers.putBackTarget(running.target.buffer);
    running.target = undefined;
    this.#endIfDone(running);
  }

  *#push(frame: NodeFrame): Task<void> {
    frame.surrender();
    const running = this.#running;
    if (running?.target?.frame !== frame) return;
    running.isPushed = true;
    this.parts.statistics.madeFrame();
    this.#endIfDone(running);
  }

  #release(frame: NodeFrame, isDropped: boolean): void {
    frame.surrender();
    const running = this.#running;
    if (this.#isClosed) return;
    if (running?.sourceFrame !== frame || running.isReleased)
      throw new ErrnoError('EINVAL', 'release', `Cannot give frame ${frame.sequence} back: it is not held`);
    running.isReleased = true;
    running.isDropped = isDropped;
    if (isDropped) this.parts.statistics.dropped.add(frame.sequence);
    this.#endIfDone(running);
  }

  #endIfDone(running: Running): void {
    const { source, isReleased, isDropped, target, isPushed } = running;
    if (!isReleased || (target !== undefined && !isPushed)) return;
    this.#running = undefined;
    this.parts.buffers.jobEnded({ source, isDropped, target });
  }
}

function* nothing(): Task<void> {}
