import {
  crc32OfRows,
  drawNumberNv12,
  drawTestPattern,
  frameNumberPlacement,
  type Nv12Image,
  readFrameNumber,
} from '@dmabuf-lab/drivers/pixels';
import test from 'ava';
import fc from 'fast-check';
import { fillNv12, newNv12 } from './images.js';

const sum = (image: Nv12Image) => crc32OfRows(image.luma, image.chroma);

const sizes = [
  [40, 12],
  [96, 64],
  [128, 96],
  [320, 240],
  [768, 576],
  [1920, 1080],
  [3840, 2160],
] as const;

for (const [width, height] of sizes) {
  test(`readFrameNumber, reads what drawTestPattern drew, at ${width}x${height}`, (t) => {
    const image = newNv12(width, height, 4096);
    for (const sequence of [0, 1, 987654, 320168, 999999]) {
      drawTestPattern(image, sequence);
      t.is(readFrameNumber(image), sequence);
    }
  });
}

test('readFrameNumber, reads every number, of the test pattern', (t) => {
  const image = newNv12(96, 64);
  fc.assert(
    fc.property(fc.nat(2 ** 40), (sequence) => {
      drawTestPattern(image, sequence);
      t.is(readFrameNumber(image), sequence % 1_000_000);
    }),
    { numRuns: 300 },
  );
});

test('readFrameNumber, still reads the number, under noise and a blur', (t) => {
  const image = newNv12(96, 64);
  fc.assert(
    fc.property(fc.nat(999_999), fc.infiniteStream(fc.integer({ min: -40, max: 40 })), (sequence, noise) => {
      drawTestPattern(image, sequence);
      for (let y = 0; y < 64; y++) {
        const clean = image.luma.row(y).slice();
        const row = clean.map((value, x) => {
          const blurred = (clean[Math.max(0, x - 1)] + 2 * value + clean[Math.min(95, x + 1)]) / 4;
          return Math.min(255, Math.max(0, blurred + noise.next().value));
        });
        image.luma.writeRow(y, row);
      }
      t.is(readFrameNumber(image), sequence);
    }),
    { numRuns: 40 },
  );
});

test('readFrameNumber, finds nothing, in grey, in noise and in a picture too small', (t) => {
  const image = newNv12(96, 64);
  fillNv12(image, 126, 128, 128);
  t.is(readFrameNumber(image), undefined);
  let state = 1;
  for (let y = 0; y < 64; y++) {
    const row = Uint8Array.from({ length: 96 }, () => {
      state = (state * 48271) % 0x7fffffff;
      return state & 0xff;
    });
    image.luma.writeRow(y, row);
  }
  t.is(readFrameNumber(image), undefined);
  const small = newNv12(38, 10);
  drawTestPattern(small, 5);
  t.is(readFrameNumber(small), undefined);
});

test('drawTestPattern, depends on size and number only, over any old contents and any layout', (t) => {
  const clean = newNv12(96, 64);
  const used = newNv12(96, 64, 4096, 112);
  drawTestPattern(clean, 42);
  fillNv12(used, 1, 2, 3);
  drawTestPattern(used, 41);
  t.not(sum(used), sum(clean));
  drawTestPattern(used, 42);
  t.is(sum(used), sum(clean));
});

test('drawTestPattern, moves outside the number panel, every frame', (t) => {
  const image = newNv12(320, 240);
  const rows = Array.from({ length: 49 }, (_, sequence) => {
    drawTestPattern(image, sequence);
    return image.luma.row(230).slice();
  });
  for (let i = 1; i < rows.length; i++) t.notDeepEqual(rows[i], rows[i - 1]);
  t.deepEqual(rows[48], rows[0], 'a pass is 48 frames');
});

test('drawTestPattern, stays in the limited range, of luma and chroma', (t) => {
  const image = newNv12(98, 66);
  drawTestPattern(image, 3);
  for (let y = 0; y < 66; y++) t.true(image.luma.row(y).every((value) => value >= 16 && value <= 235));
  for (let y = 0; y < 33; y++) t.true(image.chroma.row(y).every((value) => value >= 16 && value <= 240));
});

test('drawNumberNv12, touches its panel only, in a grey picture', (t) => {
  const image = newNv12(320, 240);
  fillNv12(image, 126, 90, 90);
  drawNumberNv12(image, 31415);
  t.is(readFrameNumber(image), 31415);
  const placement = frameNumberPlacement(320, 240);
  if (!placement) return t.fail('no placement');
  const { xPixels, yPixels, widthPixels, heightPixels } = placement;
  for (let y = 0; y < 240; y++) {
    const inside = y >= yPixels && y < yPixels + heightPixels;
    image.luma.row(y).forEach((value, x) => {
      if (!inside || x < xPixels || x >= xPixels + widthPixels) t.is(value, 126);
    });
  }
  for (let y = 0; y < 120; y++) {
    const inside = 2 * y >= yPixels && 2 * y < yPixels + heightPixels;
    image.chroma.row(y).forEach((value, x) => {
      t.is(value, inside && x >= xPixels && x < xPixels + widthPixels ? 128 : 90);
    });
  }
});

test('drawTestPattern, refuses, a number that is negative or not whole', (t) => {
  for (const value of [-1, 0.5, Number.NaN]) {
    t.throws(() => drawTestPattern(newNv12(96, 64), value), { instanceOf: RangeError });
  }
});
