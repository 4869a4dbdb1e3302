/**
 * Pixel formats as memory sees them: planes, bytes per block of pixels, subsampling.
 *
 * The first plane decides: the strides of the others derive from its stride in the ratio of their bytes per pixel, as
 * single-planar V4L2 formats define it (YUV420: half of it), so that one number describes a layout.
 *
 * Source: __drm_format_info in drivers/gpu/drm/drm_fourcc.c, include/uapi/drm/drm_fourcc.h; for those without a DRM code
 * include/uapi/linux/videodev2.h and Documentation/userspace-api/media/v4l/pixfmt-*.rst; v6.12.
 */
import { alignUp, greatestCommonDivisor, leastCommonMultiple } from '../numbers.js';
import type { PixelSize } from './layout-constraints.js';

/** One plane of a format. */
export interface PlaneFormat {
  /** Bytes of a block of {@link blockPixels} samples in a row. */
  readonly bytesPerBlock: number;
  /** Samples in a block: 1, or more where several share bytes. */
  readonly blockPixels: number;
  /** Pixels of the image for each sample of this plane, across. */
  readonly subsamplingX: number;
  /** Likewise, down. */
  readonly subsamplingY: number;
}

/** A format by its DRM name. */
export interface PixelFormat {
  /** As drm_fourcc.h writes it without the prefix; V4L2's name where DRM has none. */
  readonly name: string;
  readonly planes: readonly PlaneFormat[];
  /** Pixels to which the image is padded in each direction, where the format itself is made of tiles; else [1, 1]. */
  readonly tile: PixelSize;
  /** The stride of each plane as a fraction of the first plane's, reduced. */
  readonly strideRatios: readonly (readonly [numerator: number, denominator: number])[];
  /** What the first stride must be a multiple of so that all strides are whole bytes. */
  readonly strideUnit: number;
}

/** Most planes any format here has. */
export const MAX_PLANES = 3;

/** The format of that name or alias; undefined when there is none in the table. */
export function pixelFormatOf(name: string): PixelFormat | undefined {
  return FORMATS.get(FORMAT_ALIASES.get(name) ?? name);
}

/** The name under which a format is in the table: `YUV420` for `I420`; unknown names stay as they are. */
export function canonicalFormat(name: string): string {
  return FORMAT_ALIASES.get(name) ?? name;
}

/** Every format there is, sorted by name. */
export function knownFormats(): readonly string[] {
  return [...FORMATS.keys()].sort();
}

/** Whether all planes have the same stride, however wide the image. */
export function hasEqualStrides(format: PixelFormat): boolean {
  return format.strideRatios.every(([numerator, denominator]) => numerator === denominator);
}

/**
 * Bytes of one row of a plane without any padding but that of whole blocks.
 *
 * Source: drm_format_info_min_pitch, v6.12.
 */
export function rowBytes(plane: PlaneFormat, widthPixels: number): number {
  const samples = Math.ceil(widthPixels / plane.subsamplingX);
  return Math.ceil(samples / plane.blockPixels) * plane.bytesPerBlock;
}

/** Rows of a plane for so many rows of the image. */
export function planeRows(plane: PlaneFormat, rows: number): number {
  return Math.ceil(rows / plane.subsamplingY);
}

/** Bytes of the pixels alone, without any padding: what a copy of the image writes. */
export function payloadBytes(format: PixelFormat, widthPixels: number, heightPixels: number): number {
  const width = alignUp(widthPixels, format.tile[0]);
  const height = alignUp(heightPixels, format.tile[1]);
  return format.planes.reduce((sum, plane) => sum + rowBytes(plane, width) * planeRows(plane, height), 0);
}

const plane = (bytesPerBlock: number, blockPixels = 1, subsamplingX = 1, subsamplingY = 1): PlaneFormat => ({
  bytesPerBlock,
  blockPixels,
  subsamplingX,
  subsamplingY,
});

/** One plane, so many bytes for so many pixels. */
const packed = (bytes: number, pixels = 1): PlaneFormat[] => [plane(bytes, pixels)];

/** Luma, then interleaved chroma. */
const semiPlanar = (bytes: number, x: number, y: number): PlaneFormat[] => [plane(bytes), plane(2 * bytes, 1, x, y)];

/** Luma, then both chroma planes. */
const planar = (x: number, y: number): PlaneFormat[] => [plane(1), plane(1, 1, x, y), plane(1, 1, x, y)];

const group = (planes: PlaneFormat[], names: string, tile: PixelSize = [1, 1]): PixelFormat[] => {
  const strideRatios = planes.map((one) => strideRatio(one, planes[0]));
  const strideUnit = strideRatios.reduce((unit, [, denominator]) => leastCommonMultiple(unit, denominator), 1);
  return names.split(' ').map((name) => ({ name, planes, tile, strideRatios, strideUnit }));
};

/** Bytes per pixel of one plane in relation to those of another, reduced. */
function strideRatio(one: PlaneFormat, other: PlaneFormat): [number, number] {
  const numerator = one.bytesPerBlock * other.blockPixels * other.subsamplingX;
  const denominator = one.blockPixels * one.subsamplingX * other.bytesPerBlock;
  const divisor = greatestCommonDivisor(numerator, denominator);
  return [numerator / divisor, denominator / divisor];
}

/** Raw sensor formats in the four orders of colours, and alike without colour. */
const bayer = (suffix: string): string => ['SRGGB', 'SGRBG', 'SGBRG', 'SBGGR'].map((order) => order + suffix).join(' ');

const FORMATS: ReadonlyMap<string, PixelFormat> = new Map(
  [
    ...group(packed(1), 'C8 R8 RGB332'),
    ...group(packed(2), 'R16 GR88 RG88 RGB565 BGR565'),
    ...group(packed(2), 'XRGB4444 ARGB4444 XBGR4444 ABGR4444 XRGB1555 ARGB1555 XBGR1555 ABGR1555'),
    ...group(packed(3), 'RGB888 BGR888'),
    ...group(packed(4), 'XRGB8888 ARGB8888 XBGR8888 ABGR8888 RGBX8888 RGBA8888 BGRX8888 BGRA8888'),
    ...group(packed(4), 'XRGB2101010 ARGB2101010 XBGR2101010 ABGR2101010 AYUV XYUV8888'),
    ...group(packed(8), 'XRGB16161616F ARGB16161616F XBGR16161616F ABGR16161616F'),
    // Two pixels share their chroma: they come in pairs.
    ...group(packed(4, 2), 'YUYV YVYU UYVY VYUY'),
    ...group(packed(8, 2), 'Y210 Y212 Y216'),
    ...group(semiPlanar(1, 2, 2), 'NV12 NV21'),
    ...group(semiPlanar(1, 2, 1), 'NV16 NV61'),
    ...group(semiPlanar(1, 1, 1), 'NV24 NV42'),
    ...group(semiPlanar(2, 2, 2), 'P010 P012 P016'),
    ...group(semiPlanar(2, 2, 1), 'P210'),
    // Four samples of 10 bits in five bytes, three in four.
    ...group([plane(5, 4), plane(10, 4, 2, 2)], 'NV15'),
    ...group([plane(5, 4), plane(10, 4, 2, 1)], 'NV20'),
    ...group([plane(4, 3), plane(8, 3, 2, 2)], 'P030'),
    ...group(planar(2, 2), 'YUV420 YVU420'),
    ...group(planar(2, 1), 'YUV422 YVU422'),
    ...group(planar(1, 1), 'YUV444 YVU444'),
    ...group(planar(4, 4), 'YUV410 YVU410'),
    ...group(planar(4, 1), 'YUV411 YVU411'),
    // Tiles in the format itself. Source: pixfmt-yuv-planar.rst, v6.12.
    ...group(semiPlanar(1, 2, 2), 'NV12_4L4', [4, 4]),
    ...group(semiPlanar(1, 2, 2), 'NV12_16L16', [16, 16]),
    ...group(semiPlanar(1, 2, 2), 'NV12_32L32', [32, 32]),
    ...group(semiPlanar(2, 2, 2), 'P010_4L4', [4, 4]),
    ...group([plane(5, 4), plane(10, 4, 2, 2)], 'NV15_4L4', [4, 4]),
    // Columns of 128 bytes, as if linear. Source: V4L2_PIX_FMT_NV12_COL128, Raspberry Pi's tree (not in v6.12).
    ...group(semiPlanar(1, 2, 2), 'NV12_COL128', [128, 1]),
    ...group([plane(4, 3), plane(8, 3, 2, 2)], 'NV12_10_COL128', [96, 1]),
    ...group(packed(1), bayer('8')),
    ...group(packed(2), `${bayer('10')} ${bayer('12')} ${bayer('14')} ${bayer('16')} Y10 Y12 Y14 Y16`),
    ...group(packed(5, 4), `${bayer('10P')} Y10P`),
    ...group(packed(3, 2), `${bayer('12P')} Y12P`),
    ...group(packed(7, 4), `${bayer('14P')} Y14P`),
  ].map((format) => [format.name, format]),
);

/** Names of V4L2 and of common speech for the same bytes. V4L2 names RGB by the order in memory, DRM by significance. */
const FORMAT_ALIASES: ReadonlyMap<string, string> = new Map([
  ['I420', 'YUV420'],
  ['YU12', 'YUV420'],
  ['YV12', 'YVU420'],
  ['YUV422P', 'YUV422'],
  ['GREY', 'R8'],
  ['RGB24', 'BGR888'],
  ['BGR24', 'RGB888'],
  ['XBGR32', 'XRGB8888'],
  ['ABGR32', 'ARGB8888'],
  ['RGBX32', 'XBGR8888'],
  ['RGBA32', 'ABGR8888'],
]);
