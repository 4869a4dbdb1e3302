import { readFileSync } from 'node:fs';
import { openH264Encoder, openPictureSource, probePictureSource } from '@dmabuf-lab/drivers/media';
import { lumaPsnr, readFrameNumber } from '@dmabuf-lab/drivers/pixels';
import test from 'ava';
import { clipPath, imageOf, noCodecs, patternPicture, temporaryFile } from './fixtures.js';

/** A small MP4 of the test pattern. */
async function smallMp4(frames: number): Promise<Uint8Array> {
  const encoder = await openH264Encoder({
    widthPixels: 96,
    heightPixels: 64,
    frameRate: { num: 30, den: 1 },
    backend: 'h264-mp4-encoder',
  });
  for (let i = 0; i < frames; i++) await encoder.encode(imageOf(patternPicture(96, 64, i), 96, 64), i);
  return encoder.finish();
}

test('openPictureSource, decodes every frame in order, of an MP4 of our own', async (t) => {
  const path = temporaryFile('small.mp4', await smallMp4(40));
  t.deepEqual(await probePictureSource(path), { widthPixels: 96, heightPixels: 64, frameCount: 40 });
  const source = await openPictureSource(path);
  t.is(source.description, 'small.mp4, 40 frames 96x64');
  const numbers = Array.from({ length: 40 }, (_, i) => readFrameNumber(imageOf(source.picture(i), 96, 64)));
  t.deepEqual(
    numbers,
    Array.from({ length: 40 }, (_, i) => i),
  );
});

test('openPictureSource, gives pictures in presentation order, of an MP4 with B-frames', async (t) => {
  const path = clipPath(t, 'street-768x576-10fps.mp4');
  if (!path) return;
  const source = await openPictureSource(path);
  t.is(source.frameCount, 80);
  t.deepEqual(await probePictureSource(path), { widthPixels: 768, heightPixels: 576, frameCount: 80 });
  const luma = (index: number) => imageOf(source.picture(index), 768, 576).luma;
  // In a filmed scene the next picture is more alike than the fourth from now; taken in decode order it often is not.
  const alike = Array.from(
    { length: 79 },
    (_, i) => lumaPsnr(luma(i), luma(i + 1)) - lumaPsnr(luma(i), luma(Math.min(79, i + 4))),
  );
  t.true(
    alike.slice(0, 75).every((lead) => lead > -1),
    `leads of the next picture over the fourth: ${alike.map(Math.round)}`,
  );
});

test('openPictureSource, names the package and the way out, without the native codecs', async (t) => {
  const path = temporaryFile('small.mp4', await smallMp4(2));
  for (const call of [openPictureSource, probePictureSource]) {
    await t.throwsAsync(call(path, noCodecs), {
      code: 'EMEDIA',
      message:
        /^Cannot open camera file .*small\.mp4: the optional package @napi-rs\/webcodecs .* a \.y4m file always works$/,
    });
  }
});

test('openPictureSource, refuses, an MP4 that is cut short or is none', async (t) => {
  const whole = await smallMp4(40);
  for (const [name, contents] of [
    ['half.mp4', whole.subarray(0, whole.length >> 1)],
    ['head.mp4', whole.subarray(0, 100)],
    ['empty.mp4', new Uint8Array(0)],
    ['text.webm', Buffer.from('no video at all\n'.repeat(100))],
    ['zeroed.mp4', zeroedPackets(whole)],
  ] as const) {
    const error = await t.throwsAsync(openPictureSource(temporaryFile(name, contents)), { code: 'EMEDIA' }, name);
    t.log(error?.message.replace(/file .*\//, 'file '));
  }
});

test('openPictureSource, refuses, a real MP4 cut in half', async (t) => {
  const path = clipPath(t, 'street-768x576-10fps.mp4');
  if (!path) return;
  const contents = readFileSync(path);
  const half = temporaryFile('half.mp4', contents.subarray(0, contents.length >> 1));
  const error = await t.throwsAsync(openPictureSource(half), { code: 'EMEDIA' });
  t.log(error?.message.replace(/file .*\//, 'file '));
});

/** The file with the bytes of its media data zeroed. */
function zeroedPackets(file: Uint8Array): Uint8Array {
  const start = Buffer.from(file).indexOf('mdat') + 4;
  return file.slice().fill(0, start);
}
