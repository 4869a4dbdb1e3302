/** What the video nodes of scenario devices have in common. */
import { ErrnoError, type Nanoseconds } from '@dmabuf-lab/core/base';
import type { AnyDriver, FrameFormat } from '@dmabuf-lab/core/driver';
import { V4L2_FIELD } from '../../../abi/videodev2.js';
import type { PageAllocator } from '../../../kernel/pages.js';
import { H264_FORMAT, PIXEL_FORMATS, type PixelFormat } from '../../v4l2/pixel-formats.js';
import { vb2Error } from '../../v4l2/vb2-buffer.js';
import { VB2_IO } from '../../v4l2/vb2-ops.js';
import type { VideoFormat } from '../../v4l2/video-format.js';
import type { FrameInterval, VideoControls } from '../../v4l2/video-node.js';
import type { SocDevice, SocDeviceOptions } from '../soc-device.js';

export interface VideoDeviceOptions extends SocDeviceOptions {
  /** Of its node, such as `/dev/video10`. */
  readonly path: string;
  /** It cannot gather: its buffers have to be one run of memory. Default false. */
  readonly isContiguous?: boolean;
  /** Where its own buffers (MMAP) come from; from the kernel's pages when absent. */
  readonly pages?: PageAllocator;
}

/** Why a run of a driver ended before its time. */
export interface DriverFailure {
  readonly timeNs: Nanoseconds;
  readonly error: Error;
}

export interface SocVideoDevice extends SocDevice {
  /** What its driver has thrown: each time the queues failed, and every call on them was EIO until STREAMOFF. */
  readonly failures: readonly DriverFailure[];
}

/** Pictures are streamed into memory of the queue or into dma-bufs; there is no user memory to pin here. */
export const STREAMING_IO = VB2_IO.MMAP | VB2_IO.DMABUF;

/** Source: VB2_MAX_FRAME, v6.12. */
export const MAX_BUFFERS = 32;

/** BT.601, as all pictures of the simulated devices. Source: V4L2_COLORSPACE_SMPTE170M. */
const COLORSPACE = 1;

/** A device without controls. Source: an empty v4l2_ctrl_handler. */
export const NO_CONTROLS: VideoControls = {
  list: [],
  get: (id) => {
    throw vb2Error('EINVAL', 'VIDIOC_G_CTRL', `there is no control ${id}`);
  },
  set: (id) => {
    throw vb2Error('EINVAL', 'VIDIOC_S_CTRL', `there is no control ${id}`);
  },
};

/** Names of a driver's ports of one direction. */
export function portsOf({ ports }: AnyDriver, direction: 'in' | 'out'): string[] {
  return Object.keys(ports).filter((name) => ports[name].direction === direction);
}

/** The only port of a direction. @throws ErrnoError EINVAL when there is none, or a choice */
export function onlyPort(driver: AnyDriver, direction: 'in' | 'out'): string {
  const names = portsOf(driver, direction);
  if (names.length === 1) return names[0];
  throw unfit(driver, `it has ${names.length} ports of direction "${direction}", and the node needs one`);
}

/** @throws ErrnoError EINVAL when V4L2 has no such format */
export function pixelFormatOf(driver: AnyDriver, { fourcc }: FrameFormat): PixelFormat {
  const found = [...PIXEL_FORMATS, H264_FORMAT].find((one) => one.fourcc === fourccNumber(fourcc));
  if (found !== undefined) return found;
  throw unfit(driver, `V4L2 has no format ${fourcc}`);
}

const fourccNumber = (text: string): number =>
  Array.from(text).reduce((sum, character, i) => sum + character.charCodeAt(0) * 256 ** i, 0);

/** A driver that cannot be put behind a node. */
export function unfit(driver: AnyDriver, reason: string): ErrnoError {
  return new ErrnoError('EINVAL', 'video_register_device', `Cannot add a node for driver ${driver.name}: ${reason}`);
}

/** A format as V4L2 tells of it. */
export function videoFormatOf(
  { widthPixels, heightPixels, strideBytes, sizeBytes }: FrameFormat,
  pixelformat: number,
): VideoFormat {
  return {
    width: widthPixels,
    height: heightPixels,
    pixelformat,
    field: V4L2_FIELD.NONE,
    colorspace: COLORSPACE,
    planes: [{ bytesperline: strideBytes, sizeimage: sizeBytes }],
    planeCount: 1,
  };
}

/** Seconds from frame to frame. */
export const intervalOf = ({ rate }: FrameFormat): FrameInterval => ({ numerator: rate.den, denominator: rate.num });

/** What REQBUFS and CREATE_BUFS ask. @param wanted none from REQBUFS @throws ErrnoError EINVAL */
export function planeSizes(wanted: readonly number[], sizeBytes: number): readonly number[] {
  if (wanted.length === 0) return [sizeBytes];
  if (wanted.length === 1 && wanted[0] >= sizeBytes) return wanted;
  throw vb2Error('EINVAL', 'VIDIOC_CREATE_BUFS', `the format needs one plane of ${sizeBytes} bytes`);
}
