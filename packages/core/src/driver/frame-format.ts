import type { Rate } from '../base/index.js';

/** A pixel format by its fourcc: V4L2_PIX_FMT_NV12, DRM_FORMAT_ABGR8888 (bytes R, G, B, A in memory). */
export type PixelFourcc = 'NV12' | 'AB24';
/** Or a bitstream: V4L2_PIX_FMT_H264, a frame to a buffer. */
export type Fourcc = PixelFourcc | 'H264';

/** What a port carries. Source: struct v4l2_pix_format and v4l2_captureparm.timeperframe, v6.12. */
export interface FrameFormat {
  readonly fourcc: Fourcc;
  readonly widthPixels: number;
  readonly heightPixels: number;
  /** Bytes from one row of the first plane to the next; 0 of a bitstream. */
  readonly strideBytes: number;
  /** Rows set aside for the first plane, where they are more than the height; the next plane begins after them. */
  readonly rows?: number;
  /** Of all planes, with what devices ask for behind them; of a bitstream, the most that a frame can have. */
  readonly sizeBytes: number;
  /** Frames per second. */
  readonly rate: Rate;
}

const STRIDE_ALIGN = 64;

/** The format of a frame with rows padded to 64 bytes, which every built-in device accepts. */
export function frameFormat(fourcc: PixelFourcc, widthPixels: number, heightPixels: number, rate: Rate): FrameFormat {
  const rowBytes = fourcc === 'NV12' ? widthPixels : widthPixels * 4;
  const strideBytes = Math.ceil(rowBytes / STRIDE_ALIGN) * STRIDE_ALIGN;
  const rows = fourcc === 'NV12' ? heightPixels + heightPixels / 2 : heightPixels;
  return { fourcc, widthPixels, heightPixels, strideBytes, sizeBytes: strideBytes * rows, rate };
}

const MACROBLOCK_PIXELS = 16;
/** 3200 bits. Source: A.3.1 of ITU-T H.264, the most in a macroblock. */
const MACROBLOCK_BYTES = 400;
/** Parameter sets, and the header of a slice. */
const HEADER_BYTES = 4096;

/** The format of H.264 in buffers that any frame of a picture size fits into. */
export function bitstreamFormat(widthPixels: number, heightPixels: number, rate: Rate): FrameFormat {
  const across = Math.ceil(widthPixels / MACROBLOCK_PIXELS);
  const down = Math.ceil(heightPixels / MACROBLOCK_PIXELS);
  const sizeBytes = HEADER_BYTES + across * down * MACROBLOCK_BYTES;
  return { fourcc: 'H264', widthPixels, heightPixels, strideBytes: 0, sizeBytes, rate };
}
