/** Where an encoder is in a drain, from V4L2_ENC_CMD_STOP to the last buffer. Source: v4l2-mem2mem.c, v6.12. */
import { V4L2_BUF_FLAG, V4L2_ENC_CMD } from '../../../abi/videodev2.js';
import { type Vb2Buffer, vb2Error } from '../../v4l2/vb2-buffer.js';
import type { Vb2Queue } from '../../v4l2/vb2-queue.js';

/** What draining has of the buffers of a mem2mem context. */
export interface DrainedBuffers {
  readonly queue: Vb2Queue;
  /** The picture that was queued last and is not done. */
  lastSource(): Vb2Buffer | undefined;
  /** Takes the CAPTURE buffer that was queued first. */
  takeTarget(): Vb2Buffer | undefined;
  nextSequence(): number;
}

export class DrainState {
  #isDraining = false;
  /** Nothing is encoded until START. */
  #hasStopped = false;
  #lastSource: Vb2Buffer | undefined;
  /** The next CAPTURE buffer is the last one, and empty. */
  #nextIsLast = false;

  constructor(private readonly buffers: DrainedBuffers) {}

  get hasStopped(): boolean {
    return this.#hasStopped;
  }

  /** Source: v4l2_m2m_encoder_cmd. @throws ErrnoError EBUSY while it drains */
  command(command: number): void {
    if (this.#isDraining) throw vb2Error('EBUSY', 'VIDIOC_ENCODER_CMD', 'the encoder is draining');
    if (command === V4L2_ENC_CMD.STOP) this.#stop();
    else if (this.#hasStopped) {
      this.#hasStopped = false;
      this.buffers.queue.lastBufferDequeued = false;
    }
  }

  /** Source: v4l2_update_last_buf_state. */
  #stop(): void {
    if (this.#hasStopped) return;
    this.#isDraining = true;
    this.#lastSource = this.buffers.lastSource();
    if (this.#lastSource === undefined) this.#emptyLast();
  }

  /** Whether with this picture the drain is over. Source: v4l2_m2m_is_last_draining_src_buf. */
  isLast(source: Vb2Buffer): boolean {
    return this.#isDraining && source === this.#lastSource;
  }

  /** The last picture is done. @param target its bitstream; undefined when it gave none */
  end(target: Vb2Buffer | undefined): void {
    if (target === undefined) this.#emptyLast();
    else this.#markLast(target);
  }

  /** A CAPTURE buffer has been queued. */
  targetCame(): void {
    if (this.#isDraining && this.#nextIsLast) this.#emptyLast();
  }

  /** Source: v4l2_m2m_last_buffer_done, v4l2_m2m_dst_buf_is_last. */
  #emptyLast(): void {
    const target = this.buffers.takeTarget();
    this.#nextIsLast = target === undefined;
    if (target === undefined) return;
    target.planes[0].usedBytes = 0;
    target.sequence = this.buffers.nextSequence();
    this.#markLast(target);
    this.buffers.queue.done(target, 'done');
  }

  /** Source: v4l2_m2m_mark_stopped. */
  #markLast(target: Vb2Buffer): void {
    target.flags |= V4L2_BUF_FLAG.LAST;
    this.#isDraining = false;
    this.#hasStopped = true;
    this.#nextIsLast = false;
    this.#lastSource = undefined;
  }

  /** Source: v4l2_m2m_update_start_streaming_state. */
  sourcesStart(): void {
    this.#lastSource = undefined;
  }

  /** What was to be encoded is gone. Source: v4l2_m2m_update_stop_streaming_state. */
  sourcesStop(): void {
    this.#lastSource = undefined;
    if (this.#isDraining) this.#emptyLast();
  }

  /** Source: v4l2_m2m_clear_state. */
  targetsStop(): void {
    this.#isDraining = this.#hasStopped = this.#nextIsLast = false;
  }
}
