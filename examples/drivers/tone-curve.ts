/** A tone curve: what becomes of each value of luma. */

/** Where it lies in the range of video: black is 16 and white is 235. Source: ITU-R BT.601, 8 bits. */
const BLACK = 16;
const WHITE = 235;

/**
 * @param gain around the middle of the range; negative ones invert the picture
 * @param lift added to all, in parts of the whole range
 * @returns 256 values, one for each value of luma
 */
export function toneCurve(gain: number, lift: number): Uint8Array {
  const middle = (BLACK + WHITE) / 2;
  return Uint8Array.from({ length: 256 }, (_, luma) => {
    const toned = middle + (luma - middle) * gain + lift * (WHITE - BLACK);
    return Math.round(Math.min(WHITE, Math.max(BLACK, toned)));
  });
}
