/** How close two pictures are. */
import type { PlaneRows } from './plane-rows.js';

/**
 * Peak signal-to-noise ratio of two planes of the same size.
 *
 * @returns decibels, 10 log10(255² / mean squared difference); Infinity when they are equal
 * @throws RangeError when the sizes differ or the planes are empty
 */
export function lumaPsnr(a: PlaneRows, b: PlaneRows): number {
  if (a.widthBytes !== b.widthBytes || a.heightRows !== b.heightRows || a.widthBytes * a.heightRows === 0) {
    const sizes = [a, b].map((plane) => `${plane.widthBytes}x${plane.heightRows}`);
    throw new RangeError(`Cannot compare planes: sizes must be equal and not empty, got ${sizes.join(' and ')}`);
  }
  let sum = 0;
  for (let y = 0; y < a.heightRows; y++) {
    const rowA = a.row(y);
    const rowB = b.row(y);
    let rowSum = 0;
    for (let x = 0; x < rowA.length; x++) {
      const difference = rowA[x] - rowB[x];
      rowSum += difference * difference;
    }
    sum += rowSum;
  }
  return 10 * Math.log10((255 * 255 * a.widthBytes * a.heightRows) / sum);
}
