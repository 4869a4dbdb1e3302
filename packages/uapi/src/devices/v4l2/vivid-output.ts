/** An output node of vivid: S-Video or HDMI. Source: vivid-vid-out.c, vivid-kthread-out.c, v6.12. */
import { isErrno } from '@dmabuf-lab/core/base';
import { V4L2_FIELD } from '../../abi/videodev2.js';
import type { SimulatedKernel } from '../../kernel/kernel.js';
import type { MediaDevice } from './media-request.js';
import { formatOrYuyv } from './pixel-formats.js';
import { type Vb2Buffer, vb2Error } from './vb2-buffer.js';
import { readAsDevice } from './vb2-memory.js';
import type { VideoFormat } from './video-format.js';
import {
  formatOf,
  HD720,
  outputSizes,
  PAL,
  type Signal,
  scaledSize,
  stridesOf,
  triedPlanes,
} from './vivid-geometry.js';
import type { VividInstance } from './vivid-instance.js';
import { VividNode } from './vivid-node.js';

const COLORSPACE_SMPTE170M = 1;
const COLORSPACE_REC709 = 3;
const OUTPUTS = [PAL, HD720];

/** Fields that a television sink can be given; others become interlaced. */
const TELEVISION_FIELDS: readonly number[] = [
  V4L2_FIELD.INTERLACED_TB,
  V4L2_FIELD.INTERLACED_BT,
  V4L2_FIELD.SEQ_TB,
  V4L2_FIELD.SEQ_BT,
  V4L2_FIELD.ALTERNATE,
];

export class VividOutput extends VividNode {
  constructor(kernel: SimulatedKernel, instance: VividInstance, media: MediaDevice) {
    super(kernel, instance, media, true);
    this.resetPicture();
  }

  protected override get signal(): Signal {
    return OUTPUTS[this.connector];
  }

  protected override get planeSizes(): readonly number[] {
    const { dataOffset } = this.picture.format;
    return outputSizes(this.picture).map((size, i) => size + dataOffset[i]);
  }

  selectConnector(index: number): void {
    this.selectOneOf(OUTPUTS.length, index, 'VIDIOC_S_OUTPUT');
  }

  get #colorspace(): number {
    return this.signal.isTelevision ? COLORSPACE_SMPTE170M : COLORSPACE_REC709;
  }

  getFormat(): VideoFormat {
    return formatOf(this.picture, this.planeSizes, this.#colorspace);
  }

  /** Source: vivid_try_fmt_vid_out. */
  tryFormat(wanted: VideoFormat): VideoFormat {
    const format = formatOrYuyv(wanted.pixelformat, this.instance.isMultiplanar);
    const field = this.#fieldFor(wanted.field);
    const { width, height } = scaledSize(wanted, field);
    const planes = triedPlanes(format, width, height, wanted.planes);
    const { fourcc: pixelformat } = format;
    return { width, height, field, pixelformat, colorspace: this.#colorspace, planes, planeCount: planes.length };
  }

  /** Source: vivid_field_out. */
  #fieldFor(wanted: number): number {
    if (!this.signal.isTelevision) return V4L2_FIELD.NONE;
    return TELEVISION_FIELDS.includes(wanted) ? wanted : V4L2_FIELD.INTERLACED;
  }

  /** Where buffers are allocated, HDMI takes the format that it has. Source: vivid_s_fmt_vid_out. */
  setFormat(wanted: VideoFormat): VideoFormat {
    const tried = this.tryFormat(wanted);
    const { width, height, field, pixelformat, planes } = tried;
    const now = this.picture;
    if (this.queue.isBusy) {
      const isSame = width === now.width && height === now.height && field === now.field;
      if (!this.signal.isTelevision && isSame && pixelformat === now.format.fourcc) return tried;
      throw vb2Error('EBUSY', 'VIDIOC_S_FMT', 'buffers are allocated');
    }
    const format = formatOrYuyv(pixelformat, this.instance.isMultiplanar);
    this.picture = { format, width, height, field, strides: stridesOf(format, planes) };
    if (this.signal.isTelevision) this.televisionField = field;
    return tried;
  }

  /** Source: vid_out_buf_out_validate. */
  validateOutput(buffer: Vb2Buffer): void {
    const { field } = this.picture;
    if (field !== V4L2_FIELD.ALTERNATE) buffer.field = field;
    else if (buffer.field !== V4L2_FIELD.TOP && buffer.field !== V4L2_FIELD.BOTTOM)
      throw vb2Error('EINVAL', 'VIDIOC_QBUF', `the field must be top or bottom, got ${buffer.field}`);
  }

  /** Source: vid_out_buf_prepare. */
  prepare(buffer: Vb2Buffer): void {
    this.instance.maybeFail('bufPrepare', 'VIDIOC_QBUF');
    for (const [i, size] of outputSizes(this.picture).entries()) {
      const { usedBytes, dataOffset } = buffer.planes[i];
      if (usedBytes < size + dataOffset)
        throw vb2Error('EINVAL', 'VIDIOC_QBUF', `plane ${i} holds ${usedBytes} bytes, ${size + dataOffset} are needed`);
    }
  }

  /** The last buffer stays on the screen. Source: vivid_thread_vid_out_tick. */
  protected override tick(frame: number): void {
    if (this.instance.dropsFrame()) return;
    const [buffer, next] = this.active;
    if (buffer === undefined || next === undefined) return;
    this.active.shift();
    this.finishFrame(buffer, this.instance.sequenceOf(frame), 0, !isReadable(buffer));
  }
}

/** Reads the picture. @returns false where strict rules say that it is stale */
function isReadable({ planes }: Vb2Buffer): boolean {
  try {
    for (const { memory, usedBytes } of planes) if (memory !== undefined) readAsDevice(memory, usedBytes);
    return true;
  } catch (error) {
    if (isErrno(error, 'EIO')) return false;
    throw error;
  }
}
