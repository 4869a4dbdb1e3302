/** The two image formats of the simulated devices, laid out in a buffer. */
import { type PlaneLayout, type PlaneRows, rowsOf } from './plane-rows.js';

/**
 * NV12 (DRM_FORMAT_NV12): a plane of 8-bit luma, then a plane of U,V byte pairs, one for each 2x2 pixels. Both planes
 * have the same stride.
 */
export interface Nv12Layout {
  readonly widthPixels: number;
  readonly heightPixels: number;
  readonly strideBytes: number;
  readonly luma: PlaneLayout;
  readonly chroma: PlaneLayout;
  /** Bytes of the buffer, both planes with their padding. */
  readonly sizeBytes: number;
}

/** RGBA with the bytes R, G, B, A in memory (DRM_FORMAT_ABGR8888), as PNG files have them. */
export interface RgbaLayout {
  readonly widthPixels: number;
  readonly heightPixels: number;
  readonly strideBytes: number;
  readonly pixels: PlaneLayout;
  readonly sizeBytes: number;
}

/** An NV12 image in memory. */
export interface Nv12Image {
  readonly widthPixels: number;
  readonly heightPixels: number;
  readonly luma: PlaneRows;
  readonly chroma: PlaneRows;
}

/** An RGBA image in memory. */
export interface RgbaImage {
  readonly widthPixels: number;
  readonly heightPixels: number;
  readonly pixels: PlaneRows;
}

/**
 * Lays out an NV12 image.
 *
 * @param widthPixels even, at least 2
 * @param heightPixels even, at least 2
 * @param strideBytes of both planes; at least the width, which is also the default
 * @param lumaRows rows set aside for luma where a device pads the height (1080 to 1088); even, by default the height
 * @throws RangeError when one of these does not hold
 */
export function nv12Layout(
  widthPixels: number,
  heightPixels: number,
  strideBytes = widthPixels,
  lumaRows = heightPixels,
): Nv12Layout {
  checkSize('NV12', widthPixels, heightPixels);
  if (widthPixels % 2 !== 0 || heightPixels % 2 !== 0) {
    throw new RangeError(
      `Cannot lay out an NV12 image: width and height must be even, got ${widthPixels}x${heightPixels}`,
    );
  }
  if (lumaRows % 2 !== 0 || !(lumaRows >= heightPixels)) {
    throw new RangeError(
      `Cannot lay out an NV12 image: luma rows must be even, at least ${heightPixels}, got ${lumaRows}`,
    );
  }
  checkStride('NV12', strideBytes, widthPixels);
  const common = { widthBytes: widthPixels, strideBytes };
  return {
    widthPixels,
    heightPixels,
    strideBytes,
    luma: { ...common, offsetBytes: 0, heightRows: heightPixels },
    chroma: { ...common, offsetBytes: strideBytes * lumaRows, heightRows: heightPixels / 2 },
    sizeBytes: (strideBytes * lumaRows * 3) / 2,
  };
}

/**
 * Lays out an RGBA image.
 *
 * @param strideBytes at least four times the width, which is also the default
 * @throws RangeError when it is less, or the size is not made of whole positive numbers
 */
export function rgbaLayout(widthPixels: number, heightPixels: number, strideBytes = widthPixels * 4): RgbaLayout {
  checkSize('RGBA', widthPixels, heightPixels);
  checkStride('RGBA', strideBytes, widthPixels * 4);
  return {
    widthPixels,
    heightPixels,
    strideBytes,
    pixels: { offsetBytes: 0, widthBytes: widthPixels * 4, strideBytes, heightRows: heightPixels },
    sizeBytes: strideBytes * heightPixels,
  };
}

/**
 * The NV12 image in a buffer.
 *
 * @param segments the buffer's page runs, as for `rowsOf`
 * @throws RangeError when the segments are too short
 */
export function nv12ImageOf(segments: readonly Uint8Array[], layout: Nv12Layout): Nv12Image {
  const { widthPixels, heightPixels } = layout;
  return { widthPixels, heightPixels, luma: rowsOf(segments, layout.luma), chroma: rowsOf(segments, layout.chroma) };
}

/** The RGBA image in a buffer; as `nv12ImageOf`. */
export function rgbaImageOf(segments: readonly Uint8Array[], layout: RgbaLayout): RgbaImage {
  const { widthPixels, heightPixels } = layout;
  return { widthPixels, heightPixels, pixels: rowsOf(segments, layout.pixels) };
}

/**
 * Copies an image into another of the same size; strides may differ.
 *
 * @throws RangeError when the sizes differ
 */
export function copyNv12(from: Nv12Image, to: Nv12Image): void {
  checkSameSize('copy an NV12 image', from, to);
  for (let y = 0; y < from.luma.heightRows; y++) to.luma.writeRow(y, from.luma.row(y));
  for (let y = 0; y < from.chroma.heightRows; y++) to.chroma.writeRow(y, from.chroma.row(y));
}

interface Size {
  readonly widthPixels: number;
  readonly heightPixels: number;
}

/** @throws RangeError when the two images differ in size */
export function checkSameSize(task: string, from: Size, to: Size): void {
  if (from.widthPixels !== to.widthPixels || from.heightPixels !== to.heightPixels) {
    const sizes = [from, to].map((size) => `${size.widthPixels}x${size.heightPixels}`);
    throw new RangeError(`Cannot ${task}: sizes must be equal, got ${sizes.join(' and ')}`);
  }
}

function checkSize(format: string, widthPixels: number, heightPixels: number): void {
  for (const value of [widthPixels, heightPixels]) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new RangeError(
        `Cannot lay out an ${format} image: size must be positive, got ${widthPixels}x${heightPixels}`,
      );
    }
  }
}

function checkStride(format: string, strideBytes: number, minimumBytes: number): void {
  if (!Number.isSafeInteger(strideBytes) || strideBytes < minimumBytes) {
    throw new RangeError(
      `Cannot lay out an ${format} image: stride must be at least ${minimumBytes} bytes, got ${strideBytes}`,
    );
  }
}
