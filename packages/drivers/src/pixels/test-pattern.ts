/** The camera's picture when it has no clip: colour bars, a grey ramp, a box that moves, and the frame number. */
import type { Nv12Image } from './image-layout.js';
import { drawNumberNv12 } from './number-panel.js';

/** The eight bars at 75 % in BT.601 limited range: Y, U, V of white, yellow, cyan, green, magenta, red, blue, black. */
const BARS = [
  [180, 128, 128],
  [162, 44, 142],
  [131, 156, 44],
  [112, 72, 58],
  [84, 184, 198],
  [65, 100, 212],
  [35, 212, 114],
  [16, 128, 128],
] as const;

const LUMA_DARK = 32;
const LUMA_BRIGHT = 220;
const CHROMA_NEUTRAL = 128;

/** Frames in which the box crosses the whole picture. */
const FRAMES_PER_PASS = 48;

/**
 * Draws the test pattern of one frame over the whole image.
 *
 * From the top: the bars, in their middle the frame number (`readFrameNumber` reads it); a ramp from black to white; and a
 * bright box that moves right by a 48th of the width each frame and comes in again on the left. Every row of a
 * band is the same, so a frame costs one copy of the image out of rows that stay in the cache.
 *
 * @param sequence number of the frame, from 0; two frames less than a million apart always differ where the number is drawn
 * @throws RangeError when the sequence is negative or not whole
 */
export function drawTestPattern(image: Nv12Image, sequence: number): void {
  const { widthPixels, heightPixels } = image;
  const bars = barRows(widthPixels);
  const ramp = rampRow(widthPixels);
  const box = boxRow(widthPixels, sequence);
  const neutral = new Uint8Array(widthPixels).fill(CHROMA_NEUTRAL);
  const rampTop = evenPart(heightPixels, 3 / 4);
  const boxTop = evenPart(heightPixels, 5 / 6);
  for (let y = 0; y < heightPixels; y++) image.luma.writeRow(y, y < rampTop ? bars.luma : y < boxTop ? ramp : box);
  for (let y = 0; y < heightPixels / 2; y++) image.chroma.writeRow(y, y < rampTop / 2 ? bars.chroma : neutral);
  drawNumberNv12(image, sequence);
}

function barRows(widthPixels: number): { luma: Uint8Array; chroma: Uint8Array } {
  const luma = new Uint8Array(widthPixels);
  const chroma = new Uint8Array(widthPixels);
  for (let x = 0; x < widthPixels; x += 2) {
    const [y, u, v] = BARS[Math.floor((x * BARS.length) / widthPixels)];
    luma.fill(y, x, x + 2);
    chroma[x] = u;
    chroma[x + 1] = v;
  }
  return { luma, chroma };
}

function rampRow(widthPixels: number): Uint8Array {
  return Uint8Array.from({ length: widthPixels }, (_, x) => 16 + Math.floor((x * 220) / widthPixels));
}

function boxRow(widthPixels: number, sequence: number): Uint8Array {
  const row = new Uint8Array(widthPixels).fill(LUMA_DARK);
  const left = Math.floor(((sequence % FRAMES_PER_PASS) * widthPixels) / FRAMES_PER_PASS);
  const right = left + Math.max(2, Math.floor(widthPixels / 12));
  row.fill(LUMA_BRIGHT, left, right);
  if (right > widthPixels) row.fill(LUMA_BRIGHT, 0, right - widthPixels);
  return row;
}

function evenPart(lengthPixels: number, part: number): number {
  return Math.floor((lengthPixels * part) / 2) * 2;
}
