/** A capture node of vivid: webcam, TV, S-Video, HDMI. Source: vivid-vid-cap.c, vivid-kthread-cap.c, v6.12. */
import { tickTime } from '@dmabuf-lab/core/base';
import { V4L2_BUF_FLAG, V4L2_FIELD } from '../../abi/videodev2.js';
import type { SimulatedKernel } from '../../kernel/kernel.js';
import type { MediaDevice } from './media-request.js';
import { formatOrYuyv } from './pixel-formats.js';
import { type Vb2Buffer, vb2Error } from './vb2-buffer.js';
import { fillAsDevice } from './vb2-memory.js';
import type { VideoFormat } from './video-format.js';
import type { FrameInterval } from './video-node.js';
import {
  captureSizes,
  formatOf,
  HD720,
  PAL,
  type Signal,
  scaledSize,
  stridesOf,
  triedPlanes,
} from './vivid-geometry.js';
import type { VividInstance } from './vivid-instance.js';
import { VividNode } from './vivid-node.js';

const COLORSPACE_SRGB = 8;
const INPUTS = ['webcam', 'TV', 'S-Video', 'HDMI'] as const;
/** Time stamps are of this part of a frame. */
const END_OF_FRAME = 0.9;
const TIMECODE_25_FPS = 2;
const PAL_FPS = 25;

/** Sizes of the webcam in rising order, and how many of the intervals each has: large pictures do not come often. */
const WEBCAM_SIZES: readonly (readonly [width: number, height: number, intervals: number])[] = [
  [320, 180, 13],
  [640, 360, 13],
  [640, 480, 13],
  [1280, 720, 12],
  [1920, 1080, 9],
  [3840, 2160, 7],
];
const WEBCAM_INTERVALS: readonly FrameInterval[] = [
  [1, 1],
  [1, 2],
  [1, 4],
  [1, 5],
  [1, 10],
  [2, 25],
  [1, 15],
  [1, 25],
  [1, 30],
  [1, 40],
  [1, 50],
  [1, 60],
  [1, 120],
].map(([numerator, denominator]) => ({ numerator, denominator }));

/** Fields that a television source can be captured in; others become interlaced. */
const TELEVISION_FIELDS: readonly number[] = [
  V4L2_FIELD.INTERLACED_TB,
  V4L2_FIELD.INTERLACED_BT,
  V4L2_FIELD.SEQ_TB,
  V4L2_FIELD.SEQ_BT,
  V4L2_FIELD.TOP,
  V4L2_FIELD.BOTTOM,
  V4L2_FIELD.ALTERNATE,
];

export class VividCapture extends VividNode {
  #sizeIndex = 1;
  #intervalIndex = 3;

  constructor(kernel: SimulatedKernel, instance: VividInstance, media: MediaDevice) {
    super(kernel, instance, media, false);
    this.resetPicture();
  }

  get #isWebcam(): boolean {
    return INPUTS[this.connector] === 'webcam';
  }

  protected override get signal(): Signal {
    const input = INPUTS[this.connector];
    if (input === 'HDMI') return HD720;
    if (input !== 'webcam') return PAL;
    const [width, height] = WEBCAM_SIZES[this.#sizeIndex];
    return { width, height, interval: WEBCAM_INTERVALS[this.#intervalIndex], isTelevision: false };
  }

  protected override get planeSizes(): readonly number[] {
    return captureSizes(this.picture);
  }

  selectConnector(index: number): void {
    this.selectOneOf(INPUTS.length, index, 'VIDIOC_S_INPUT');
  }

  getFormat(): VideoFormat {
    return formatOf(this.picture, this.planeSizes, COLORSPACE_SRGB);
  }

  /** Source: vivid_try_fmt_vid_cap. */
  tryFormat(wanted: VideoFormat): VideoFormat {
    const format = formatOrYuyv(wanted.pixelformat, this.instance.isMultiplanar);
    const field = this.#fieldFor(wanted.field);
    const { width, height } = this.#isWebcam ? nearestWebcamSize(wanted) : scaledSize(wanted, field);
    const planes = triedPlanes(format, width, height, wanted.planes);
    const pixelformat = format.fourcc;
    return { width, height, field, pixelformat, colorspace: COLORSPACE_SRGB, planes, planeCount: planes.length };
  }

  /** Source: vivid_field_cap. */
  #fieldFor(wanted: number): number {
    if (!this.signal.isTelevision) return V4L2_FIELD.NONE;
    return TELEVISION_FIELDS.includes(wanted) ? wanted : V4L2_FIELD.INTERLACED;
  }

  /** Source: vivid_s_fmt_vid_cap. */
  setFormat(wanted: VideoFormat): VideoFormat {
    const tried = this.tryFormat(wanted);
    if (this.queue.isBusy) throw vb2Error('EBUSY', 'VIDIOC_S_FMT', 'buffers are allocated');
    const { width, height, field, planes } = tried;
    const format = formatOrYuyv(tried.pixelformat, this.instance.isMultiplanar);
    if (this.#isWebcam) {
      this.#sizeIndex = WEBCAM_SIZES.findIndex(([w, h]) => w === width && h === height);
      this.#intervalIndex = Math.min(this.#intervalIndex, this.#intervalCount - 1);
      this.interval = WEBCAM_INTERVALS[this.#intervalIndex];
    }
    if (this.signal.isTelevision) this.televisionField = field;
    this.picture = { format, width, height, field, strides: stridesOf(format, planes) };
    return tried;
  }

  get #intervalCount(): number {
    const [, , intervals] = WEBCAM_SIZES[this.#sizeIndex];
    return intervals;
  }

  /** Source: vivid_vid_cap_s_parm. Only the webcam can change. */
  setInterval(wanted: FrameInterval): FrameInterval {
    if (!this.#isWebcam) return this.interval;
    const intervals = WEBCAM_INTERVALS.slice(0, this.#intervalCount);
    const last = intervals.length - 1;
    const found = intervals.findIndex((one) => isAtLeast(wanted, one));
    this.#intervalIndex = wanted.denominator === 0 || found < 0 ? last : found;
    this.interval = intervals[this.#intervalIndex];
    this.timer.resync();
    return this.interval;
  }

  /** Source: vid_cap_buf_prepare. */
  prepare(buffer: Vb2Buffer): void {
    this.instance.maybeFail('bufPrepare', 'VIDIOC_QBUF');
    for (const [i, size] of this.planeSizes.entries()) {
      const plane = buffer.planes[i];
      if (plane.lengthBytes < size)
        throw vb2Error('EINVAL', 'VIDIOC_QBUF', `${size} bytes do not fit into plane ${i} of ${plane.lengthBytes}`);
      plane.usedBytes = size;
      plane.dataOffset = this.picture.format.dataOffset[i];
    }
  }

  /** Television has time codes. Source: vid_cap_buf_finish. */
  finish(buffer: Vb2Buffer): void {
    if (!this.signal.isTelevision) return;
    const { sequence } = buffer;
    const seconds = Math.floor(sequence / PAL_FPS);
    buffer.flags |= V4L2_BUF_FLAG.TIMECODE;
    buffer.timecode = {
      ...buffer.timecode,
      type: TIMECODE_25_FPS,
      frames: sequence % PAL_FPS,
      seconds: seconds % 60,
      minutes: Math.floor(seconds / 60) % 60,
      hours: Math.floor(seconds / 3600) % 24,
    };
  }

  /** Source: vivid_thread_vid_cap_tick. The time stamp is of the end of the frame. */
  protected override tick(frame: number): void {
    if (this.instance.dropsFrame()) return;
    const buffer = this.active.shift();
    if (buffer === undefined) return;
    const sequence = this.instance.sequenceOf(frame);
    this.#fill(buffer, sequence);
    this.finishFrame(buffer, sequence, tickTime(END_OF_FRAME, this.rate));
  }

  /** Source: vivid_fillbuff. */
  #fill(buffer: Vb2Buffer, sequence: number): void {
    const { field, strides } = this.picture;
    buffer.field = field;
    if (field === V4L2_FIELD.ALTERNATE) buffer.field = sequence % 2 === 0 ? V4L2_FIELD.TOP : V4L2_FIELD.BOTTOM;
    for (const [i, { memory, usedBytes }] of buffer.planes.entries()) {
      if (memory !== undefined) fillAsDevice(memory, usedBytes, colourBars(strides[i], sequence));
    }
  }
}

/** Of two that are as near, the later. Source: v4l2_find_nearest_size. */
function nearestWebcamSize(wanted: VideoFormat): { width: number; height: number } {
  const distance = ([width, height]: (typeof WEBCAM_SIZES)[number]): number =>
    (Math.abs((width - wanted.width) | 0) + Math.abs((height - wanted.height) | 0)) >>> 0;
  const [width, height] = WEBCAM_SIZES.reduce((best, size) => (distance(size) <= distance(best) ? size : best));
  return { width, height };
}

/** Source: V4L2_FRACT_COMPARE. */
const isAtLeast = (a: FrameInterval, b: FrameInterval): boolean =>
  a.numerator * b.denominator >= b.numerator * a.denominator;

/** One line of a picture that differs from frame to frame: eight bars, whose bytes alternate. */
function colourBars(lengthBytes: number, sequence: number): Uint8Array {
  return Uint8Array.from({ length: lengthBytes }, (_, i) => {
    const bar = Math.floor((i * 8) / lengthBytes);
    return i % 2 === 0 ? 16 + bar * 24 : 128 + ((bar * 13 + sequence) % 64);
  });
}
