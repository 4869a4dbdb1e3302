import type { Nanoseconds } from '../base/index.js';
import type { BufferHandle } from '../dma-buf/index.js';
import type { DmaFence } from '../sync/index.js';
import type { Frame } from './driver-port.js';
import type { FrameFormat } from './frame-format.js';
import type { FrameHolder, FrameWords, PoolRegion } from './frame-words.js';
import { LentFrame } from './lent-frame.js';
import type { PipelineJob } from './pipeline-job.js';
import type { RingWords } from './ring-words.js';

/**
 * A frame of a pipeline: a row of the frame table.
 *
 * Making one fails with EIO when its row was overwritten.
 */
export class PipelineFrame extends LentFrame implements Frame {
  readonly buffer: BufferHandle;

  constructor(
    private readonly words: FrameWords,
    readonly pool: PoolRegion,
    /** Row of the frame. */
    readonly row: number,
    readonly format: FrameFormat,
    /** As whom the driver holds it: the owner of its pool, or a link. */
    readonly holder: FrameHolder,
    /** When it was taken, in model time. */
    readonly takenNs: Nanoseconds,
    /** The ring that brought it; absent = it came from its own pool. */
    private readonly carrier?: RingWords,
  ) {
    super();
    this.buffer = words.buffer(row);
  }

  /** Ends the driver's hold on it. */
  release(nowNs: Nanoseconds): void {
    this.words.release(this.pool, this.row, this.holder, nowNs, this.carrier);
  }

  get bufferNumber(): number {
    return this.buffer.slot;
  }

  get sequence(): number {
    return this.words.sequence(this.row);
  }

  get capturedNs(): Nanoseconds {
    return this.words.capturedNs(this.row);
  }

  /** The fence after which its content may be read; absent when it is complete. */
  get acquireFence(): DmaFence | undefined {
    return this.words.acquireFence(this.row);
  }

  describe(sequence: number, capturedNs: Nanoseconds): void {
    this.words.describe(this.row, sequence, capturedNs);
  }

  readyAfter({ fence }: PipelineJob): void {
    if (fence !== undefined) this.words.setAcquireFence(this.row, fence);
  }

  get checksum(): number {
    return this.words.checksum(this.row);
  }

  set checksum(value: number) {
    this.words.setChecksum(this.row, value);
  }

  get error(): number {
    return this.words.error(this.row);
  }

  set error(errno: number) {
    this.words.setError(this.row, errno);
  }
}
