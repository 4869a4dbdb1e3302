import type { Nanoseconds } from '../base/index.js';
import type { BufferHandle } from '../dma-buf/index.js';
import type { DmaFence } from '../sync/index.js';
import type { FrameFormat } from './frame-format.js';
import type { FrameWords, PoolRegion } from './frame-words.js';

/** A buffer in one use of it: what a driver takes from a port, works on, and hands on or releases. */
export class Frame {
  readonly buffer: BufferHandle;

  constructor(
    private readonly words: FrameWords,
    readonly pool: PoolRegion,
    /** Row of the frame. */
    readonly row: number,
    readonly format: FrameFormat,
    /** When it was taken, in model time. */
    readonly takenNs: Nanoseconds,
  ) {
    this.buffer = words.buffer(row);
  }

  /** Sequence number that its source gave it; a dropped frame has one too. Source: v4l2_buffer.sequence, v6.12. */
  get sequence(): number {
    return this.words.sequence(this.row);
  }

  /** When its source captured it. */
  get capturedNs(): Nanoseconds {
    return this.words.capturedNs(this.row);
  }

  /** The fence after which its content may be read; absent when it is complete. */
  get acquireFence(): DmaFence | undefined {
    return this.words.acquireFence(this.row);
  }

  /** Says what it holds. Only on a frame that was acquired from the driver's own pool and is not handed on yet. */
  describe(sequence: number, capturedNs: Nanoseconds): void {
    this.words.describe(this.row, sequence, capturedNs);
  }

  /** Lets consumers start before the content is complete: they wait for the fence. */
  publishFence(fence: DmaFence): void {
    this.words.setAcquireFence(this.row, fence);
  }

  get checksum(): number {
    return this.words.checksum(this.row);
  }

  set checksum(value: number) {
    this.words.setChecksum(this.row, value);
  }

  /** Errno that its content ended with, 0 when it is good. */
  get error(): number {
    return this.words.error(this.row);
  }

  set error(errno: number) {
    this.words.setError(this.row, errno);
  }
}
