import { openPictureSource, probePictureSource } from '@dmabuf-lab/drivers/media';
import { drawNumberNv12, readFrameNumber } from '@dmabuf-lab/drivers/pixels';
import test from 'ava';
import { clipPath, imageOf, temporaryFile } from './fixtures.js';

const bytes = (...parts: (string | readonly number[])[]) =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : Uint8Array.from(part))));

/** A 4x2 frame in I420: eight of luma, two of U, two of V. */
const frame = (first: number) => Array.from({ length: 12 }, (_, i) => first + i);

test('openPictureSource, gives NV12 of every frame, from an I420 y4m', async (t) => {
  const path = temporaryFile(
    'two.y4m',
    bytes('YUV4MPEG2 W4 H2 F30:1 Ip A1:1\n', 'FRAME\n', frame(10), 'FRAME Ip\n', frame(50)),
  );
  const source = await openPictureSource(path);
  t.deepEqual([...source.picture(0)], [10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 19, 21]);
  t.deepEqual([...source.picture(1)], [50, 51, 52, 53, 54, 55, 56, 57, 58, 60, 59, 61]);
  t.is(source.description, 'two.y4m, 2 frames 4x2');
  t.throws(() => source.picture(2), { instanceOf: RangeError });
  t.throws(() => source.picture(-1), { instanceOf: RangeError });
  t.deepEqual(await probePictureSource(path), { widthPixels: 4, heightPixels: 2, frameCount: 2 });
});

for (const tag of ['C420', 'C420jpeg', 'C420mpeg2', 'C420paldv']) {
  test(`openPictureSource, accepts a y4m, of ${tag}`, async (t) => {
    const path = temporaryFile('one.y4m', bytes(`YUV4MPEG2 W4 H2 ${tag}\nFRAME\n`, frame(0)));
    t.is((await openPictureSource(path)).frameCount, 1);
  });
}

test('openPictureSource, gives neutral chroma, from a mono y4m', async (t) => {
  const path = temporaryFile('mono.y4m', bytes('YUV4MPEG2 W4 H2 Cmono\nFRAME\n', [1, 2, 3, 4, 5, 6, 7, 8]));
  const source = await openPictureSource(path);
  t.deepEqual([...source.picture(0)], [1, 2, 3, 4, 5, 6, 7, 8, 128, 128, 128, 128]);
});

const refused: readonly [condition: string, contents: Uint8Array, reason: RegExp][] = [
  [
    '10-bit samples',
    bytes('YUV4MPEG2 W4 H2 C420p10\nFRAME\n', frame(0)),
    /must be one of C420jpeg, .*, Cmono, got C420p10/,
  ],
  ['4:4:4 chroma', bytes('YUV4MPEG2 W4 H2 C444\nFRAME\n', frame(0)), /got C444/],
  ['an odd size', bytes('YUV4MPEG2 W5 H2 C420\nFRAME\n', frame(0)), /must be even, got 5x2/],
  ['a missing height', bytes('YUV4MPEG2 W4 F30:1\nFRAME\n', frame(0)), /header's H must be a size in pixels, got ""/],
  ['a width that is no number', bytes('YUV4MPEG2 Wx H2\nFRAME\n', frame(0)), /header's W .* got "x"/],
  ['another header', bytes('RIFF....AVI \n', frame(0)), /does not begin with a YUV4MPEG2 header/],
  ['an empty file', bytes(''), /does not begin with a YUV4MPEG2 header/],
  ['no frames', bytes('YUV4MPEG2 W4 H2\n'), /it has no frames/],
  [
    'a truncated last frame',
    bytes('YUV4MPEG2 W4 H2\nFRAME\n', frame(0), 'FRAME\n', [1, 2, 3]),
    /frame 1 lacks 9 of 12 bytes/,
  ],
  [
    'rubbish between frames',
    bytes('YUV4MPEG2 W4 H2\nFRAME\n', frame(0), 'FRAMED\n', frame(0)),
    /frame 1 .* at byte 34/,
  ],
];

for (const [condition, contents, reason] of refused) {
  test(`openPictureSource and probePictureSource, refuse a y4m, with ${condition}`, async (t) => {
    const path = temporaryFile('bad.y4m', contents);
    for (const call of [openPictureSource, probePictureSource]) {
      const error = await t.throwsAsync(call(path), { name: 'MediaError', code: 'EMEDIA', message: reason });
      t.true(error?.message.startsWith(`Cannot open camera file ${path}: `));
      t.is((error as Error & { path?: string }).path, path);
    }
  });
}

test('openPictureSource, refuses, a missing file, a folder and an unknown ending', async (t) => {
  const path = temporaryFile('a.y4m', '');
  await t.throwsAsync(openPictureSource(`${path}.y4m`), { code: 'EMEDIA', message: /there is no such file/ });
  await t.throwsAsync(openPictureSource(`${path}.mp4`), { code: 'EMEDIA', message: /there is no such file/ });
  await t.throwsAsync(openPictureSource(temporaryFile('a.avi', '')), { code: 'EMEDIA', message: /got "\.avi"/ });
});

test('openPictureSource, refuses by arithmetic, a y4m that takes more than 1.5 GiB decoded', async (t) => {
  const path = temporaryFile('huge.y4m', bytes('YUV4MPEG2 W40000 H30000\nFRAME\n'));
  await t.throwsAsync(openPictureSource(path), { message: /take 1\.7 GiB decoded, the limit is 1\.5 GiB/ });
});

test('openPictureSource, gives pictures that a number can be drawn on and read from, of a real y4m', async (t) => {
  const path = clipPath(t, 'street-320x240.y4m');
  if (!path) return;
  const source = await openPictureSource(path);
  t.deepEqual([source.widthPixels, source.heightPixels, source.frameCount], [320, 240, 30]);
  const image = imageOf(source.picture(29).slice(), 320, 240);
  t.is(readFrameNumber(image), undefined);
  drawNumberNv12(image, 29);
  t.is(readFrameNumber(image), 29);
});
