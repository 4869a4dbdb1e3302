/** What capture and output nodes of vivid have in common. Source: vivid-core.c, vivid-kthread-cap.c, v6.12. */
import type { Rate } from '@dmabuf-lab/core/base';
import { V4L2_BUF_TYPE, V4L2_FIELD } from '../../abi/videodev2.js';
import type { SimulatedKernel } from '../../kernel/kernel.js';
import { FrameTimer } from './frame-timer.js';
import type { MediaDevice } from './media-request.js';
import { formatsOf, PIXEL_FORMATS, type PixelFormat } from './pixel-formats.js';
import { type Vb2Buffer, vb2Error } from './vb2-buffer.js';
import type { Vb2Ops } from './vb2-ops.js';
import { Vb2Queue } from './vb2-queue.js';
import { vmallocMemOps } from './vb2-vmalloc.js';
import type { VideoFormat } from './video-format.js';
import type { FrameInterval, VideoNode } from './video-node.js';
import { type Picture, pictureOf, type Signal } from './vivid-geometry.js';
import type { VividInstance } from './vivid-instance.js';

const MIN_BUFFERS = 2;
/** MAX_VID_CAP_BUFFERS; other queues have what vb2 allows without asking. */
const MAX_CAPTURE_BUFFERS = 64;
const VB2_MAX_FRAME = 32;

export abstract class VividNode implements VideoNode, Vb2Ops {
  readonly driver = 'vivid';
  readonly card = 'vivid';
  readonly queue: Vb2Queue;
  connector = 0;
  interval: FrameInterval = { numerator: 1, denominator: 1 };
  protected picture: Picture;
  /** What television was last set to. */
  protected televisionField: number = V4L2_FIELD.INTERLACED;
  /** Buffers that the driver has, oldest first. */
  protected readonly active: Vb2Buffer[] = [];
  protected readonly timer: FrameTimer;
  #timeOffsetNs = 0n;

  constructor(
    protected readonly kernel: SimulatedKernel,
    protected readonly instance: VividInstance,
    readonly media: MediaDevice,
    private readonly isOutput: boolean,
  ) {
    const { isMultiplanar, name } = instance;
    const types = isOutput
      ? [V4L2_BUF_TYPE.VIDEO_OUTPUT, V4L2_BUF_TYPE.VIDEO_OUTPUT_MPLANE]
      : [V4L2_BUF_TYPE.VIDEO_CAPTURE, V4L2_BUF_TYPE.VIDEO_CAPTURE_MPLANE];
    const maxBuffers = isOutput || isMultiplanar ? VB2_MAX_FRAME : MAX_CAPTURE_BUFFERS;
    const type = types[Number(isMultiplanar)];
    const threadName = `${name}-vid-${isOutput ? 'out' : 'cap'}`;
    this.queue = new Vb2Queue(
      kernel,
      {
        name: threadName,
        memory: vmallocMemOps(kernel, threadName),
        type,
        isOutput,
        isMultiplanar,
        maxBuffers,
        minBuffers: MIN_BUFFERS,
      },
      this,
    );
    instance.queues.push(this.queue);
    this.timer = new FrameTimer(kernel, {
      name: threadName,
      rate: () => this.rate,
      tick: (frame) => this.tick(frame),
    });
    this.picture = { format: PIXEL_FORMATS[0], width: 0, height: 0, field: V4L2_FIELD.NONE, strides: [] };
  }

  /** What the selected input or output is. */
  protected abstract readonly signal: Signal;
  /** Bytes that the planes of memory need. */
  protected abstract readonly planeSizes: readonly number[];
  /** A frame begins. */
  protected abstract tick(frame: number): void;
  abstract selectConnector(index: number): void;
  abstract getFormat(): VideoFormat;
  abstract tryFormat(wanted: VideoFormat): VideoFormat;
  abstract setFormat(wanted: VideoFormat): VideoFormat;
  abstract prepare(buffer: Vb2Buffer): void;

  get controls(): VividInstance {
    return this.instance;
  }

  get isUnplugged(): boolean {
    return this.instance.isUnplugged;
  }

  formatsOf(): readonly PixelFormat[] {
    return formatsOf(this.instance.isMultiplanar);
  }

  get busInfo(): string {
    return `platform:${this.instance.name}`;
  }

  get deviceCapabilities(): number {
    const { capture, output } = this.instance.nodeCapabilities;
    return this.isOutput ? output : capture;
  }

  get capabilities(): number {
    const { capture, output } = this.instance.nodeCapabilities;
    return capture | output;
  }

  opened(): void {
    this.instance.opened();
  }

  closed(): void {
    this.instance.closed();
  }

  /** Takes the picture that the signal has of itself. Source: vivid_update_format_cap, vivid_update_format_out. */
  protected resetPicture(): void {
    const field = this.signal.isTelevision ? this.televisionField : V4L2_FIELD.NONE;
    this.interval = this.signal.interval;
    this.picture = pictureOf(this.signal, this.picture.format, field);
  }

  /** Source: vidioc_s_input, vidioc_s_output. */
  protected selectOneOf(count: number, index: number, op: string): void {
    if (index >= count) throw vb2Error('EINVAL', op, `there is no number ${index}`);
    if (index === this.connector) return;
    if (this.queue.isBusy) throw vb2Error('EBUSY', op, 'buffers are allocated');
    this.connector = index;
    this.resetPicture();
  }

  /** Source: vid_cap_queue_setup, vid_out_queue_setup. */
  queueSetup(wanted: readonly number[]): readonly number[] {
    const op = 'VIDIOC_REQBUFS';
    if (this.picture.field === V4L2_FIELD.ALTERNATE && this.queue.fileIo.isActive)
      throw vb2Error('EINVAL', op, 'read and write cannot tell the field of a buffer');
    this.instance.maybeFail('queueSetup', op);
    const sizes = this.planeSizes;
    if (wanted.length === 0) return sizes;
    if (wanted.length !== sizes.length || sizes.some((size, i) => wanted[i] < size))
      throw vb2Error('EINVAL', 'VIDIOC_CREATE_BUFS', `the format needs planes of ${sizes.join(', ')} bytes`);
    return wanted;
  }

  enqueue(buffer: Vb2Buffer): void {
    this.active.push(buffer);
  }

  /** Source: vid_cap_start_streaming, vid_out_start_streaming. */
  startStreaming(): void {
    if (this.instance.takeError('startStreaming')) {
      for (const buffer of this.active.splice(0)) this.queue.done(buffer, 'queued');
      throw vb2Error('EINVAL', 'VIDIOC_STREAMON', 'an error has been injected');
    }
    this.#timeOffsetNs = this.instance.timeOffsetNs(this.kernel.now());
    this.timer.start();
  }

  /** Source: vivid_stop_generating_vid_cap, vivid_stop_generating_vid_out. */
  stopStreaming(): void {
    for (const buffer of this.active.splice(0)) this.queue.done(buffer, 'error');
    this.timer.stop();
  }

  /** Source: vivid_cap_update_frame_period. With alternating fields, each is a frame. */
  protected get rate(): Rate {
    const { numerator, denominator } = this.interval;
    const fields = this.picture.field === V4L2_FIELD.ALTERNATE ? 2 : 1;
    return { num: denominator * fields, den: numerator };
  }

  /** Gives a buffer back to the queue. @param laterNs after now, for its time stamp */
  protected finishFrame(buffer: Vb2Buffer, sequence: number, laterNs: number): void {
    buffer.sequence = this.picture.field === V4L2_FIELD.ALTERNATE ? Math.floor(sequence / 2) : sequence;
    buffer.timestampNs = BigInt(this.kernel.now() + laterNs) + this.#timeOffsetNs;
    this.queue.done(buffer, this.instance.takeError('dqbuf') ? 'error' : 'done');
  }
}
