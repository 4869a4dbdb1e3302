/**
 * Where the planes of an image lie when the rules are merged: exact, the smallest layout that meets them all.
 *
 * The stride of the first plane is the smallest number that is a multiple of the alignment, within the limits, and holds
 * the image padded to whole blocks; those of further planes derive from it. Rows are the height, rounded up to whole
 * blocks and to the height alignment; planes follow one another at their offset alignment; then the bytes at the end,
 * then the rounding of the size.
 */
import { alignUp, greatestCommonDivisor, isPowerOfTwo, leastCommonMultiple } from '../numbers.js';
import { type PixelFormat, planeRows, rowBytes } from './formats.js';
import { type LayoutRow, mergeSlot, neutralRow, SLOT } from './layout-slots.js';

/** One plane in the buffer. */
export interface PlaneLayout {
  readonly strideBytes: number;
  /** Of its first byte from the start of the buffer. */
  readonly offsetBytes: number;
  /** Rows set aside, padding included. */
  readonly rows: number;
  /** Stride times rows, and the bytes added behind the plane. */
  readonly sizeBytes: number;
}

/** An image in memory. */
export interface Arrangement {
  readonly planes: readonly PlaneLayout[];
  readonly sizeBytes: number;
}

/** What a format demands whoever takes part: strides that derive to whole bytes, whole tiles. */
export function rowOfFormat(format: PixelFormat): LayoutRow {
  const row = neutralRow();
  mergeSlot(row, SLOT.strideAlignment, format.strideUnit);
  mergeSlot(row, SLOT.blockWidth, format.tile[0]);
  mergeSlot(row, SLOT.blockHeight, format.tile[1]);
  return row;
}

/** What the first stride must be a multiple of, in bytes, so that the plane's is a multiple of the alignment. */
export function strideAlignmentFor(format: PixelFormat, plane: number, alignmentBytes: number): number {
  const [numerator, denominator] = format.strideRatios[plane];
  const scaled = alignmentBytes * denominator;
  return scaled / greatestCommonDivisor(scaled, numerator);
}

/** The least first stride that gives the plane at least so many bytes. */
export function leastStrideFor(format: PixelFormat, plane: number, strideBytes: number): number {
  const [numerator, denominator] = format.strideRatios[plane];
  return Math.ceil((strideBytes * denominator) / numerator);
}

/** The largest first stride that gives the plane at most so many bytes. */
export function largestStrideFor(format: PixelFormat, plane: number, strideBytes: number): number {
  const [numerator, denominator] = format.strideRatios[plane];
  return Math.floor((strideBytes * denominator) / numerator);
}

/** The stride of a plane when that of the first is known. */
export function planeStride(format: PixelFormat, plane: number, firstStrideBytes: number): number {
  const [numerator, denominator] = format.strideRatios[plane];
  return (firstStrideBytes * numerator) / denominator;
}

/** The smallest stride at which a row of every plane fits, in bytes of the first plane; what strideExact means. */
export function tightStride(format: PixelFormat, widthPixels: number): number {
  let least = 0;
  for (let plane = 0; plane < format.planes.length; plane++) {
    least = Math.max(least, leastStrideFor(format, plane, rowBytes(format.planes[plane], widthPixels)));
  }
  return alignUp(least, format.strideUnit);
}

/** Bounds between which the stride lies, in bytes of the first plane. */
export interface StrideBounds {
  /** That of the padded width, or the largest minimum. */
  readonly leastBytes: number;
  /** What strideExact demands; undefined when nobody does. */
  readonly exactBytes: number | undefined;
}

/** The bounds that the rules and the width set. */
export function strideBounds(row: LayoutRow, format: PixelFormat, widthPixels: number): StrideBounds {
  const padded = alignUp(widthPixels, row[SLOT.blockWidth]);
  const leastBytes = Math.max(row[SLOT.minStride], tightStride(format, padded));
  const exactBytes =
    row[SLOT.strideExact] === 0 ? undefined : tightStride(format, alignUp(widthPixels, format.tile[0]));
  return { leastBytes, exactBytes };
}

/**
 * The smallest stride that meets the rules.
 *
 * @param alignmentBytes a multiple of the row's stride alignment, to ask for more than is demanded
 * @returns bytes of the first plane; undefined when there is none below 2^53
 */
export function smallestStride(
  row: LayoutRow,
  format: PixelFormat,
  widthPixels: number,
  alignmentBytes = row[SLOT.strideAlignment],
): number | undefined {
  if (!Number.isFinite(alignmentBytes) || !Number.isFinite(row[SLOT.blockWidth])) return undefined;
  const { leastBytes, exactBytes } = strideBounds(row, format, widthPixels);
  const powerOfTwo = row[SLOT.stridePowerOfTwo] !== 0;
  let stride = alignUp(leastBytes, alignmentBytes);
  if (powerOfTwo) {
    if (!isPowerOfTwo(alignmentBytes)) return undefined;
    for (stride = alignmentBytes; stride < leastBytes; ) stride *= 2;
  }
  if (exactBytes !== undefined) {
    if (exactBytes < leastBytes || exactBytes % alignmentBytes !== 0) return undefined;
    if (powerOfTwo && !isPowerOfTwo(exactBytes)) return undefined;
    stride = exactBytes;
  }
  return stride <= row[SLOT.maxStride] && Number.isSafeInteger(stride) ? stride : undefined;
}

/**
 * Places the planes.
 *
 * @param firstStrideBytes stride of the first plane, as {@link smallestStride} gives it
 * @returns undefined when the buffer would reach 2^53 bytes
 */
export function arrange(
  row: LayoutRow,
  format: PixelFormat,
  heightPixels: number,
  firstStrideBytes: number,
): Arrangement | undefined {
  let alignment = leastCommonMultiple(row[SLOT.blockHeight], row[SLOT.heightAlignment]);
  alignment = leastCommonMultiple(alignment, row[SLOT.rowAlignment]);
  const height = alignUp(heightPixels, alignment);
  const planes: PlaneLayout[] = [];
  let end = 0;
  for (let plane = 0; plane < format.planes.length; plane++) {
    const rows = alignUp(planeRows(format.planes[plane], height), row[SLOT.rowAlignment + plane]);
    const strideBytes = planeStride(format, plane, firstStrideBytes);
    const offsetBytes = end === 0 ? 0 : alignUp(end, row[SLOT.offsetAlignment + plane]);
    const sizeBytes = strideBytes * rows + row[SLOT.extraBytes + plane];
    planes.push({ strideBytes, offsetBytes, rows, sizeBytes });
    end = offsetBytes + sizeBytes;
  }
  const trailing = Math.max(row[SLOT.trailingBytes], row[SLOT.trailingStride] === 0 ? 0 : firstStrideBytes);
  const sizeBytes = alignUp(end + trailing, row[SLOT.sizeAlignment]);
  return Number.isSafeInteger(sizeBytes) ? { planes, sizeBytes } : undefined;
}

/** Whether a buffer may come near 2^53 bytes, so that even rules which only pad can conflict. The limits do not count. */
export function mayOverflow(row: LayoutRow, format: PixelFormat, widthPixels: number, heightPixels: number): boolean {
  const { leastBytes } = strideBounds(row, format, widthPixels);
  return arrange(row, format, heightPixels, 2 * alignUp(leastBytes, row[SLOT.strideAlignment])) === undefined;
}
