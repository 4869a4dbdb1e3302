import {
  copyNv12,
  crc32OfRows,
  crc32OfSegments,
  crc32Update,
  drawTestPattern,
  lumaPsnr,
} from '@dmabuf-lab/drivers/pixels';
import test from 'ava';
import { fillNv12, newNv12, newSegments } from './images.js';

test('crc32Update, gives the check value of CRC-32, over "123456789" in two parts', (t) => {
  const bytes = new Uint8Array(new SharedArrayBuffer(9));
  bytes.set(Buffer.from('123456789'));
  t.is(crc32Update(0, bytes), 0xcbf43926);
  t.is(crc32Update(crc32Update(0, bytes.subarray(0, 4)), bytes.subarray(4)), 0xcbf43926);
  t.is(crc32OfSegments([bytes.subarray(0, 1), bytes.subarray(1)]), 0xcbf43926);
});

test('crc32OfRows, ignores padding and cuts, of equal pictures', (t) => {
  const images = [newNv12(98, 66), newNv12(98, 66, 4096), newNv12(98, 66, 4096, 128)];
  const sums = images.map((image) => {
    drawTestPattern(image, 9);
    return crc32OfRows(image.luma, image.chroma);
  });
  t.is(new Set(sums).size, 1);
});

test('crc32OfSegments, equals crc32OfRows, of an image without padding', (t) => {
  const image = newNv12(64, 64);
  drawTestPattern(image, 9);
  const bytes = newSegments(64 * 96)[0];
  for (let y = 0; y < 64; y++) bytes.set(image.luma.row(y), 64 * y);
  for (let y = 0; y < 32; y++) bytes.set(image.chroma.row(y), 64 * (64 + y));
  t.is(crc32OfSegments([bytes.subarray(0, 4096), bytes.subarray(4096)]), crc32OfRows(image.luma, image.chroma));
});

test('lumaPsnr, gives the value on paper, for a difference of 1, 255 and 0', (t) => {
  const [a, b] = [newNv12(16, 16), newNv12(16, 16)];
  fillNv12(a, 100, 128, 128);
  fillNv12(b, 101, 128, 128);
  t.true(Math.abs(lumaPsnr(a.luma, b.luma) - 48.1308) < 0.0001);
  fillNv12(a, 0, 128, 128);
  fillNv12(b, 255, 128, 128);
  t.is(lumaPsnr(a.luma, b.luma), 0);
  t.is(lumaPsnr(a.luma, a.luma), Infinity);
});

test('lumaPsnr, refuses, planes of different sizes', (t) => {
  t.throws(() => lumaPsnr(newNv12(16, 16).luma, newNv12(16, 18).luma), { instanceOf: RangeError });
});

test('copyNv12, copies the picture, between different layouts', (t) => {
  const from = newNv12(98, 66, 4096);
  const to = newNv12(98, 66, Infinity, 128);
  drawTestPattern(from, 5);
  copyNv12(from, to);
  t.is(crc32OfRows(to.luma, to.chroma), crc32OfRows(from.luma, from.chroma));
  t.throws(() => copyNv12(from, newNv12(98, 68)), { instanceOf: RangeError });
});
