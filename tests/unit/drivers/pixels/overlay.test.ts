import {
  composeOverlay,
  convertNv12ToRgba,
  defaultOverlay,
  drawTestPattern,
  type Overlay,
  overlaySize,
  readOverlayNumber,
} from '@dmabuf-lab/drivers/pixels';
import test from 'ava';
import fc from 'fast-check';
import { fillNv12, newNv12, newRgba, pixelsOf } from './images.js';

function greyPicture(width: number, height: number, luma: number, runBytes?: number) {
  const image = newRgba(width, height, runBytes);
  const source = newNv12(width, height);
  fillNv12(source, luma, 128, 128);
  convertNv12ToRgba(source, image);
  return image;
}

test('composeOverlay, blends source over destination, by the formula on paper', (t) => {
  const image = greyPicture(96, 64, 126);
  const overlay: Overlay = { xPixels: 4, yPixels: 6, scale: 1, label: 'GPU', number: 0, panel: [255, 0, 100, 51] };
  composeOverlay(image, overlay);
  const pixel = (x: number, y: number) => [...image.pixels.row(y).subarray(4 * x, 4 * x + 4)];
  t.deepEqual(pixel(4, 6), [255, 255, 255, 255], 'the border is opaque white');
  t.deepEqual(pixel(5, 7), [153, 102, 122, 255], '(255*51 + 128*204)/255, (128*204)/255, (100*51 + 128*204)/255');
  t.deepEqual(pixel(3, 6), [128, 128, 128, 255]);
});

test('composeOverlay, touches its rectangle only, wherever it lies', (t) => {
  const before = pixelsOf(greyPicture(96, 64, 126));
  fc.assert(
    fc.property(fc.integer({ min: -60, max: 100 }), fc.integer({ min: -40, max: 70 }), (xPixels, yPixels) => {
      const image = greyPicture(96, 64, 126, 4096);
      const overlay = { ...defaultOverlay(96, 64, 'x', 1), xPixels, yPixels };
      composeOverlay(image, overlay);
      const size = overlaySize(overlay);
      const after = pixelsOf(image);
      let changedOutside = 0;
      for (let i = 0; i < after.length; i++) {
        const x = (i >> 2) % 96;
        const y = Math.floor((i >> 2) / 96);
        const inside =
          x >= xPixels && x < xPixels + size.widthPixels && y >= yPixels && y < yPixels + size.heightPixels;
        if (!inside && after[i] !== before[i]) changedOutside++;
      }
      t.is(changedOutside, 0);
    }),
    { numRuns: 60 },
  );
});

for (const [width, height] of [
  [96, 64],
  [640, 480],
  [1920, 1080],
] as const) {
  test(`readOverlayNumber, reads what composeOverlay drew over the test pattern, at ${width}x${height}`, (t) => {
    const source = newNv12(width, height);
    const image = newRgba(width, height, 4096);
    for (const number of [0, 271828, 999999]) {
      drawTestPattern(source, number);
      convertNv12ToRgba(source, image);
      const overlay = defaultOverlay(width, height, 'GPU FRAME', number);
      composeOverlay(image, overlay);
      t.is(readOverlayNumber(image, overlay), number);
    }
  });
}

test('readOverlayNumber, finds nothing, where no overlay was composed or could be', (t) => {
  const image = greyPicture(96, 64, 126);
  const overlay = defaultOverlay(96, 64, 'GPU', 0);
  t.is(readOverlayNumber(image, overlay), undefined);
  t.is(readOverlayNumber(image, { ...overlay, xPixels: 90 }), undefined);
});

test('composeOverlay, refuses, a fractional scale and a negative number', (t) => {
  const image = newRgba(96, 64);
  const overlay = defaultOverlay(96, 64, 'GPU', 0);
  t.throws(() => composeOverlay(image, { ...overlay, scale: 1.5 }), { instanceOf: RangeError });
  t.throws(() => composeOverlay(image, { ...overlay, number: -1 }), { instanceOf: RangeError });
});
