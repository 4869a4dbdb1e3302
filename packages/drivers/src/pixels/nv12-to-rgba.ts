/** Colour conversion of the GPU: NV12 to RGBA, BT.601, limited range to full range. */
import { checkSameSize, type Nv12Image, type RgbaImage } from './image-layout.js';

/**
 * Converts an image, with the usual 8-bit integers of BT.601 limited range:
 *
 *     c = Y - 16, d = U - 128, e = V - 128
 *     R = clamp((298 c         + 409 e + 128) >> 8)
 *     G = clamp((298 c - 100 d - 208 e + 128) >> 8)
 *     B = clamp((298 c + 516 d         + 128) >> 8),  A = 255
 *
 * Each chroma sample serves its 2x2 pixels unfiltered. Within 1 of the exact matrix for values in range.
 *
 * @param src of the size of `dst`
 * @throws RangeError when the sizes differ
 */
export function convertNv12ToRgba(src: Nv12Image, dst: RgbaImage): void {
  checkSameSize('convert NV12 to RGBA', src, dst);
  for (let chromaY = 0; chromaY < src.chroma.heightRows; chromaY++) {
    const chroma = src.chroma.row(chromaY);
    for (const y of [2 * chromaY, 2 * chromaY + 1]) {
      const luma = src.luma.row(y);
      const out = dst.pixels.beginRow(y, 'fill');
      if (out.byteOffset % 4 === 0) convertRow(luma, chroma, new Uint32Array(out.buffer, out.byteOffset, luma.length));
      else convertRowUnaligned(luma, chroma, out);
      dst.pixels.endRow(y);
    }
  }
}

/** `CLAMP[value + BIAS]` is the value within 0 to 255; the sums above lie in -277 to 534 whatever the input. */
const BIAS = 512;
const CLAMP = Uint8Array.from({ length: BIAS + 1024 }, (_, index) => Math.min(255, Math.max(0, index - BIAS)));
/** The rounding half and the table's bias, before the shift. */
const ROUND = 128 + BIAS * 256;

/** One 32-bit store a pixel; a little-endian word of A, B, G, R is the bytes R, G, B, A. */
function convertRow(luma: Uint8Array, chroma: Uint8Array, out: Uint32Array): void {
  for (let x = 0; x < luma.length; x += 2) {
    const d = chroma[x] - 128;
    const e = chroma[x + 1] - 128;
    const red = 409 * e + ROUND;
    const green = ROUND - 100 * d - 208 * e;
    const blue = 516 * d + ROUND;
    const left = 298 * (luma[x] - 16);
    out[x] =
      0xff000000 | (CLAMP[(left + blue) >> 8] << 16) | (CLAMP[(left + green) >> 8] << 8) | CLAMP[(left + red) >> 8];
    const right = 298 * (luma[x + 1] - 16);
    out[x + 1] =
      0xff000000 | (CLAMP[(right + blue) >> 8] << 16) | (CLAMP[(right + green) >> 8] << 8) | CLAMP[(right + red) >> 8];
  }
}

/** For destinations whose stride is no multiple of four. */
function convertRowUnaligned(luma: Uint8Array, chroma: Uint8Array, out: Uint8Array): void {
  for (let x = 0; x < luma.length; x++) {
    const d = chroma[x & ~1] - 128;
    const e = chroma[x | 1] - 128;
    const c = 298 * (luma[x] - 16) + ROUND;
    out[4 * x] = CLAMP[(c + 409 * e) >> 8];
    out[4 * x + 1] = CLAMP[(c - 100 * d - 208 * e) >> 8];
    out[4 * x + 2] = CLAMP[(c + 516 * d) >> 8];
    out[4 * x + 3] = 255;
  }
}
