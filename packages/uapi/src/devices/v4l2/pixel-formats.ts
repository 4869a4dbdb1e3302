/** The pixel formats of vivid, and what of them counts for sizes. Source: vivid_formats, vivid-vid-common.c, v6.12. */
import { v4l2Fourcc } from '../../abi/videodev2.js';

/** A pixel format. Source: struct vivid_fmt. */
export interface PixelFormat {
  readonly fourcc: number;
  /** Source: v4l_fill_fmtdesc, v4l2-ioctl.c. */
  readonly description: string;
  /** Bits of a pixel, in each plane of colour. */
  readonly bitDepth: readonly number[];
  /** Lines of the picture to a line of each plane. */
  readonly linesPerLine: readonly number[];
  /** Planes of memory: 1, unless every plane of colour has its own. */
  readonly buffers: number;
  /** Bytes before the picture in each plane of memory. */
  readonly dataOffset: readonly number[];
  /** Source: V4L2_FMT_FLAG_COMPRESSED. */
  readonly isCompressed?: boolean;
}

const packed = (name: string, description: string, bits: number): PixelFormat => ({
  fourcc: v4l2Fourcc(name),
  description,
  bitDepth: [bits],
  linesPerLine: [1],
  buffers: 1,
  dataOffset: [0],
});

const planar = (
  name: string,
  description: string,
  bitDepth: readonly number[],
  linesPerLine: readonly number[],
  buffers: number,
  dataOffset: readonly number[] = bitDepth.map(() => 0),
): PixelFormat => ({ fourcc: v4l2Fourcc(name), description, bitDepth, linesPerLine, buffers, dataOffset });

/** PLANE0_DATA_OFFSET: some formats have it, so that programs meet it. */
const OFFSET = 128;

/** In the order of VIDIOC_ENUM_FMT; those with several buffers are last. */
export const PIXEL_FORMATS: readonly PixelFormat[] = [
  packed('YUYV', 'YUYV 4:2:2', 16),
  packed('UYVY', 'UYVY 4:2:2', 16),
  packed('YVYU', 'YVYU 4:2:2', 16),
  packed('VYUY', 'VYUY 4:2:2', 16),
  planar('422P', 'Planar YUV 4:2:2', [8, 4, 4], [1, 1, 1], 1),
  planar('YU12', 'Planar YUV 4:2:0', [8, 4, 4], [1, 2, 2], 1),
  planar('YV12', 'Planar YVU 4:2:0', [8, 4, 4], [1, 2, 2], 1),
  planar('NV12', 'Y/UV 4:2:0', [8, 8], [1, 2], 1),
  planar('NV21', 'Y/VU 4:2:0', [8, 8], [1, 2], 1),
  planar('NV16', 'Y/UV 4:2:2', [8, 8], [1, 1], 1),
  planar('NV61', 'Y/VU 4:2:2', [8, 8], [1, 1], 1),
  planar('NV24', 'Y/UV 4:4:4', [8, 16], [1, 1], 1),
  planar('NV42', 'Y/VU 4:4:4', [8, 16], [1, 1], 1),
  packed('YUVO', '16-bit A/XYUV 1-5-5-5', 16),
  packed('YUVP', '16-bit YUV 5-6-5', 16),
  packed('Y444', '16-bit A/XYUV 4-4-4-4', 16),
  packed('YUV4', '32-bit A/XYUV 8-8-8-8', 32),
  packed('AYUV', '32-bit AYUV 8-8-8-8', 32),
  packed('XYUV', '32-bit XYUV 8-8-8-8', 32),
  packed('VUYA', '32-bit VUYA 8-8-8-8', 32),
  packed('VUYX', '32-bit VUYX 8-8-8-8', 32),
  packed('YUVA', '32-bit YUVA 8-8-8-8', 32),
  packed('YUVX', '32-bit YUVX 8-8-8-8', 32),
  packed('GREY', '8-bit Greyscale', 8),
  packed('Y10', '10-bit Greyscale', 16),
  packed('Y12', '12-bit Greyscale', 16),
  packed('Y16', '16-bit Greyscale', 16),
  { ...packed('Y16', '16-bit Greyscale BE', 16), fourcc: v4l2Fourcc('Y16', true) },
  packed('RGB1', '8-bit RGB 3-3-2', 8),
  packed('RGBP', '16-bit RGB 5-6-5', 16),
  packed('RGBR', '16-bit RGB 5-6-5 BE', 16),
  packed('R444', '16-bit A/XRGB 4-4-4-4', 16),
  packed('XR12', '16-bit XRGB 4-4-4-4', 16),
  packed('AR12', '16-bit ARGB 4-4-4-4', 16),
  packed('RX12', '16-bit RGBX 4-4-4-4', 16),
  packed('RA12', '16-bit RGBA 4-4-4-4', 16),
  packed('XB12', '16-bit XBGR 4-4-4-4', 16),
  packed('AB12', '16-bit ABGR 4-4-4-4', 16),
  packed('BX12', '16-bit BGRX 4-4-4-4', 16),
  packed('GA12', '16-bit BGRA 4-4-4-4', 16),
  packed('RGBO', '16-bit A/XRGB 1-5-5-5', 16),
  packed('XR15', '16-bit XRGB 1-5-5-5', 16),
  packed('AR15', '16-bit ARGB 1-5-5-5', 16),
  packed('RX15', '16-bit RGBX 5-5-5-1', 16),
  packed('RA15', '16-bit RGBA 5-5-5-1', 16),
  packed('XB15', '16-bit XBGR 1-5-5-5', 16),
  packed('AB15', '16-bit ABGR 1-5-5-5', 16),
  packed('BX15', '16-bit BGRX 5-5-5-1', 16),
  packed('BA15', '16-bit BGRA 5-5-5-1', 16),
  packed('RGBQ', '16-bit A/XRGB 1-5-5-5 BE', 16),
  { ...packed('XR15', '16-bit XRGB 1-5-5-5 BE', 16), fourcc: v4l2Fourcc('XR15', true) },
  { ...packed('AR15', '16-bit ARGB 1-5-5-5 BE', 16), fourcc: v4l2Fourcc('AR15', true) },
  packed('RGB3', '24-bit RGB 8-8-8', 24),
  packed('BGR3', '24-bit BGR 8-8-8', 24),
  packed('BGRH', '18-bit BGRX 6-6-6-14', 32),
  packed('RGB4', '32-bit A/XRGB 8-8-8-8', 32),
  packed('BGR4', '32-bit BGRA/X 8-8-8-8', 32),
  packed('BX24', '32-bit XRGB 8-8-8-8', 32),
  packed('XR24', '32-bit BGRX 8-8-8-8', 32),
  packed('BA24', '32-bit ARGB 8-8-8-8', 32),
  packed('AR24', '32-bit BGRA 8-8-8-8', 32),
  packed('XB24', '32-bit RGBX 8-8-8-8', 32),
  packed('RX24', '32-bit XBGR 8-8-8-8', 32),
  packed('AB24', '32-bit RGBA 8-8-8-8', 32),
  packed('RA24', '32-bit ABGR 8-8-8-8', 32),
  packed('BA81', '8-bit Bayer BGBG/GRGR', 8),
  packed('GBRG', '8-bit Bayer GBGB/RGRG', 8),
  packed('GRBG', '8-bit Bayer GRGR/BGBG', 8),
  packed('RGGB', '8-bit Bayer RGRG/GBGB', 8),
  packed('BG10', '10-bit Bayer BGBG/GRGR', 16),
  packed('GB10', '10-bit Bayer GBGB/RGRG', 16),
  packed('BA10', '10-bit Bayer GRGR/BGBG', 16),
  packed('RG10', '10-bit Bayer RGRG/GBGB', 16),
  packed('BG12', '12-bit Bayer BGBG/GRGR', 16),
  packed('GB12', '12-bit Bayer GBGB/RGRG', 16),
  packed('BA12', '12-bit Bayer GRGR/BGBG', 16),
  packed('RG12', '12-bit Bayer RGRG/GBGB', 16),
  packed('BYR2', '16-bit Bayer BGBG/GRGR', 16),
  packed('GB16', '16-bit Bayer GBGB/RGRG', 16),
  packed('GR16', '16-bit Bayer GRGR/BGBG', 16),
  packed('RG16', '16-bit Bayer RGRG/GBGB', 16),
  packed('HSV3', '24-bit HSV 8-8-8', 24),
  packed('HSV4', '32-bit XHSV 8-8-8-8', 32),
  planar('NM16', 'Y/UV 4:2:2 (N-C)', [8, 8], [1, 1], 2, [OFFSET, 0]),
  planar('NM61', 'Y/VU 4:2:2 (N-C)', [8, 8], [1, 1], 2, [0, OFFSET]),
  planar('YM12', 'Planar YUV 4:2:0 (N-C)', [8, 4, 4], [1, 2, 2], 3),
  planar('YM21', 'Planar YVU 4:2:0 (N-C)', [8, 4, 4], [1, 2, 2], 3),
  planar('NM12', 'Y/UV 4:2:0 (N-C)', [8, 8], [1, 2], 2),
  planar('NM21', 'Y/VU 4:2:0 (N-C)', [8, 8], [1, 2], 2),
  planar('YM16', 'Planar YUV 4:2:2 (N-C)', [8, 4, 4], [1, 1, 1], 3),
  planar('YM61', 'Planar YVU 4:2:2 (N-C)', [8, 4, 4], [1, 1, 1], 3),
  planar('YM24', 'Planar YUV 4:4:4 (N-C)', [8, 8, 8], [1, 1, 1], 3),
  planar('YM42', 'Planar YVU 4:4:4 (N-C)', [8, 8, 8], [1, 1, 1], 3),
];

/** The bitstream of encoders. Source: V4L2_PIX_FMT_H264. */
export const H264_FORMAT: PixelFormat = { ...packed('H264', 'H.264', 0), isCompressed: true };

/** Formats that a node has: those with several buffers only where it is multi-planar. */
export const formatsOf = (multiplanar: boolean): readonly PixelFormat[] =>
  multiplanar ? PIXEL_FORMATS : PIXEL_FORMATS.filter(({ buffers }) => buffers === 1);

/** Source: vivid_get_format. What is not known becomes YUYV. */
export function formatOrYuyv(fourcc: number, multiplanar: boolean): PixelFormat {
  return formatsOf(multiplanar).find((format) => format.fourcc === fourcc) ?? PIXEL_FORMATS[0];
}
