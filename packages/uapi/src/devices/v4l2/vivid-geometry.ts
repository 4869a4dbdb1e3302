/** Sizes of vivid's pictures and planes. Source: vivid-vid-cap.c, vivid-vid-out.c, v4l2-tpg.h, v6.12. */
import { V4L2_FIELD } from '../../abi/videodev2.js';
import type { PixelFormat } from './pixel-formats.js';
import type { PlaneFormat, VideoFormat } from './video-format.js';
import type { FrameInterval } from './video-node.js';

/** What a node is set to. */
export interface Picture {
  readonly format: PixelFormat;
  readonly width: number;
  readonly height: number;
  readonly field: number;
  /** Of each plane of colour. */
  readonly strides: readonly number[];
}

/** A source, or a sink, of pictures. */
export interface Signal {
  readonly width: number;
  readonly height: number;
  readonly interval: FrameInterval;
  /** It comes in two fields. */
  readonly isTelevision: boolean;
}

const MAX_ZOOM = 4;
const MAX_WIDTH = 4096;
const MIN_SIDE = 16;
const MAX_HEIGHT = 2160;

/** A television picture of 50 Hz: what TV and S-Video begin with. */
export const PAL: Signal = {
  width: 720,
  height: 576,
  interval: { numerator: 1000, denominator: 25_000 },
  isTelevision: true,
};
/** CEA-861 1280x720p60: what HDMI begins with. */
export const HD720: Signal = {
  width: 1280,
  height: 720,
  interval: { numerator: 12_375, denominator: 742_500 },
  isTelevision: false,
};

/** Whether a buffer holds one field only. Source: V4L2_FIELD_HAS_T_OR_B. */
export const hasOneField = (field: number): boolean =>
  field === V4L2_FIELD.TOP || field === V4L2_FIELD.BOTTOM || field === V4L2_FIELD.ALTERNATE;

/** Strides as they are when the source has changed. Source: tpg_reset_source, vivid_update_format_out. */
const defaultStrides = ({ bitDepth }: PixelFormat, width: number): number[] =>
  bitDepth.map((bits) => Math.floor((width * bits) / 8));

/** Strides of all planes of colour from those of the planes of memory. Source: tpg_s_bytesperline. */
export function stridesOf({ bitDepth, buffers }: PixelFormat, planes: readonly PlaneFormat[]): number[] {
  if (buffers > 1) return bitDepth.map((_, i) => planes[i].bytesperline);
  return bitDepth.map((bits) => Math.floor((planes[0].bytesperline * bits) / bitDepth[0]));
}

/** The whole of a signal as a picture. */
export function pictureOf({ width, height }: Signal, format: PixelFormat, field: number): Picture {
  const lines = hasOneField(field) ? height / 2 : height;
  return { format, width, height: lines, field, strides: defaultStrides(format, width) };
}

/** A size within what scaler, cropping and composing can do. Source: v4l2_rect_set_min_size, v4l2_rect_set_max_size. */
export function scaledSize(
  { width, height }: { readonly width: number; readonly height: number },
  field: number,
): { width: number; height: number } {
  const factor = hasOneField(field) ? 2 : 1;
  const clamp = (value: number, max: number): number => Math.min(Math.max(value, MIN_SIDE), max * MAX_ZOOM);
  const lines = clamp(Math.imul(height, factor) >>> 0, MAX_HEIGHT);
  return { width: clamp(width >>> 0, MAX_WIDTH), height: Math.floor(lines / factor) };
}

/** Planes for a picture; strides may be wider than needed. Source: vivid_try_fmt_vid_cap. */
export function triedPlanes(
  { bitDepth, linesPerLine, buffers, dataOffset }: PixelFormat,
  width: number,
  height: number,
  wanted: readonly PlaneFormat[],
): PlaneFormat[] {
  const planes = bitDepth.slice(0, buffers).map((bits, i): PlaneFormat => {
    const least = Math.floor((width * bits) / 8);
    const most = Math.floor((MAX_ZOOM * MAX_WIDTH * bits) / 8);
    const bytesperline = Math.max(Math.min(wanted[i]?.bytesperline ?? 0, most), least);
    return { bytesperline, sizeimage: Math.floor((bytesperline * height) / linesPerLine[i]) + dataOffset[i] };
  });
  const [first] = planes;
  for (let i = buffers; i < bitDepth.length; i += 1) {
    const share = Math.floor(bitDepth[i] / linesPerLine[i]);
    const whole = Math.floor(bitDepth[0] / linesPerLine[0]);
    first.sizeimage += Math.floor((first.bytesperline * height * share) / whole);
  }
  return planes;
}

/** Bytes of each plane of memory on a capture node. Source: tpg_g_line_width. */
export function captureSizes({ format, height, strides }: Picture): number[] {
  const { buffers, linesPerLine, dataOffset } = format;
  const line = (i: number): number =>
    buffers > 1 ? strides[i] : strides.reduce((sum, stride, p) => sum + Math.floor(stride / linesPerLine[p]), 0);
  return Array.from({ length: buffers }, (_, i) => Math.floor((line(i) * height) / linesPerLine[i]) + dataOffset[i]);
}

/** Bytes of each plane of memory on an output node, without what lies before the picture. Source: vid_out_buf_prepare. */
export function outputSizes({ format, height, strides }: Picture): number[] {
  const { buffers, linesPerLine } = format;
  const sizes = strides.map((stride, i) => Math.floor((stride * height) / (i === 0 ? 1 : linesPerLine[i])));
  const [first, ...rest] = sizes;
  if (buffers > 1) return sizes;
  return [rest.reduce((sum, size) => sum + size, first)];
}

/** @param sizes of the planes of memory */
export function formatOf(picture: Picture, sizes: readonly number[], colorspace: number): VideoFormat {
  const { width, height, field, format, strides } = picture;
  const planes = sizes.map((sizeimage, i) => ({ sizeimage, bytesperline: strides[i] }));
  return { width, height, field, pixelformat: format.fourcc, colorspace, planes, planeCount: planes.length };
}
