import { convertNv12ToRgba, crc32OfRows, drawTestPattern } from '@dmabuf-lab/drivers/pixels';
import test from 'ava';
import fc from 'fast-check';
import { fillNv12, newNv12, newRgba, pixelsOf } from './images.js';

function convertOne(y: number, u: number, v: number): number[] {
  const src = newNv12(2, 2);
  const dst = newRgba(2, 2);
  fillNv12(src, y, u, v);
  convertNv12ToRgba(src, dst);
  return [...dst.pixels.row(1).subarray(4)];
}

const onPaper: readonly [
  name: string,
  yuv: readonly [number, number, number],
  rgb: readonly [number, number, number],
][] = [
  ['black', [16, 128, 128], [0, 0, 0]],
  ['white', [235, 128, 128], [255, 255, 255]],
  ['mid grey', [126, 128, 128], [128, 128, 128]],
  ['red', [81, 90, 240], [255, 0, 0]],
  ['green', [145, 54, 34], [0, 255, 1]],
  ['blue', [41, 240, 110], [0, 0, 255]],
  ['below black', [0, 128, 128], [0, 0, 0]],
  ['above white', [255, 128, 128], [255, 255, 255]],
];

for (const [name, [y, u, v], rgb] of onPaper) {
  test(`convertNv12ToRgba, gives the BT.601 value, of ${name}`, (t) => {
    t.deepEqual(convertOne(y, u, v), [...rgb, 255]);
  });
}

test('convertNv12ToRgba, is within 1 of the exact matrix, for every colour', (t) => {
  const clamp = (value: number) => Math.min(255, Math.max(0, value));
  const byte = fc.integer({ min: 0, max: 255 });
  fc.assert(
    fc.property(byte, byte, byte, (y, u, v) => {
      const c = ((y - 16) * 255) / 219;
      const d = ((u - 128) * 255) / 224;
      const e = ((v - 128) * 255) / 224;
      const exact = [c + 1.402 * e, c - 0.344136 * d - 0.714136 * e, c + 1.772 * d].map(clamp);
      const got = convertOne(y, u, v);
      exact.forEach((value, channel) => {
        t.true(Math.abs(got[channel] - value) <= 1.5, `${[y, u, v]}: ${got} and ${exact}`);
      });
    }),
  );
});

test('convertNv12ToRgba, gives the same pixels, in one piece, scattered, and with an unaligned stride', (t) => {
  const sums = [Infinity, 4096].flatMap((runBytes) =>
    [undefined, 98 * 4 + 5].map((strideBytes) => {
      const src = newNv12(98, 66, runBytes, 101);
      const dst = newRgba(98, 66, runBytes, strideBytes);
      drawTestPattern(src, 7);
      convertNv12ToRgba(src, dst);
      return crc32OfRows(dst.pixels);
    }),
  );
  t.is(new Set(sums).size, 1);
});

test('convertNv12ToRgba, gives each 2x2 block its own chroma, with four colours', (t) => {
  const src = newNv12(4, 2);
  fillNv12(src, 126, 128, 128);
  src.chroma.writeRow(0, Uint8Array.of(128, 228), 2);
  const dst = newRgba(4, 2);
  convertNv12ToRgba(src, dst);
  const grey = [128, 128, 128, 255];
  const reddish = [255, 47, 128, 255];
  t.deepEqual([...pixelsOf(dst)], [...grey, ...grey, ...reddish, ...reddish, ...grey, ...grey, ...reddish, ...reddish]);
});

test('convertNv12ToRgba, refuses, images of different sizes', (t) => {
  t.throws(() => convertNv12ToRgba(newNv12(4, 4), newRgba(4, 6)), {
    instanceOf: RangeError,
    message: /got 4x4 and 4x6/,
  });
});
