import {
  type H264Backend,
  h264SizeProblem,
  openH264Encoder,
  openPictureSource,
  type WebCodecs,
} from '@dmabuf-lab/drivers/media';
import { lumaPsnr, readFrameNumber } from '@dmabuf-lab/drivers/pixels';
import test, { type ExecutionContext } from 'ava';
import { clipPath, ffprobe, imageOf, noCodecs, patternPicture, temporaryFile } from './fixtures.js';
import { readMp4Times } from './mp4-times.js';

const BACKENDS: readonly H264Backend[] = ['webcodecs', 'h264-mp4-encoder'];
const small = { widthPixels: 96, heightPixels: 64, frameRate: { num: 30, den: 1 } };
const smallPicture = (sequence: number) => imageOf(patternPicture(96, 64, sequence), 96, 64);

/** Fails where ffprobe is installed and counts another number of frames. */
function expectFrames(t: ExecutionContext, path: string, frames: number): void {
  const probed = ffprobe(t, path);
  if (probed) t.is(probed.frames, frames);
}

for (const backend of BACKENDS) {
  test(`H264Encoder, gives an MP4 of exactly its frames with legible numbers, of ${backend}`, async (t) => {
    const encoder = await openH264Encoder({ ...small, backend });
    t.is(encoder.backend, backend);
    for (let i = 0; i < 70; i++) {
      await encoder.encode(smallPicture(i), i);
      t.is(encoder.framesEncoded, i + 1, 'its bitstream is ready when the promise resolves');
    }
    const path = temporaryFile('out.mp4', await encoder.finish());
    expectFrames(t, path, 70);
    const source = await openPictureSource(path);
    const numbers = Array.from({ length: source.frameCount }, (_, i) =>
      readFrameNumber(imageOf(source.picture(i), 96, 64)),
    );
    t.deepEqual(
      numbers,
      Array.from({ length: 70 }, (_, i) => i),
    );
  });

  test(`H264Encoder.encode, gives the bitstream of its frame, which decodes without the file, of ${backend}`, async (t) => {
    const encoder = await openH264Encoder({ ...small, backend, bitstream: true });
    const frames: { data: Uint8Array; keyFrame: boolean }[] = [];
    for (let i = 0; i < 10; i++) {
      const frame = await encoder.encode(smallPicture(i), i);
      if (frame) frames.push(frame);
    }
    t.is(frames.length, 10);
    t.true(frames[0].keyFrame);
    t.false(frames[1].keyFrame, 'not every frame stands alone');
    const key = frames[0].data.length;
    t.true(frames.every(({ data, keyFrame }) => keyFrame || data.length < key));
    for (const { data, keyFrame } of frames) {
      t.deepEqual([...data.subarray(0, 4)], [0, 0, 0, 1]);
      const SPS = 7;
      t.is((data[4] & 0x1f) === SPS, keyFrame, 'parameter sets stand before key frames');
    }
    expectFrames(t, temporaryFile('out.h264', Buffer.concat(frames.map(({ data }) => data))), 10);
    expectFrames(t, temporaryFile('out.mp4', await encoder.finish()), 10);
  });

  test(`H264Encoder, keeps at least 36 dB of luma in every frame of a filmed street, of ${backend}`, async (t) => {
    const path = clipPath(t, 'street-768x576-10fps.mp4');
    if (!path) return;
    const source = await openPictureSource(path);
    const encoder = await openH264Encoder({
      widthPixels: 768,
      heightPixels: 576,
      frameRate: { num: 10, den: 1 },
      backend,
    });
    for (let i = 0; i < 40; i++) await encoder.encode(imageOf(source.picture(i), 768, 576), i);
    const coded = temporaryFile('street.mp4', await encoder.finish());
    expectFrames(t, coded, 40);
    const decoded = await openPictureSource(coded);
    t.is(decoded.frameCount, 40);
    const psnr = Array.from({ length: 40 }, (_, i) =>
      lumaPsnr(imageOf(decoded.picture(i), 768, 576).luma, imageOf(source.picture(i), 768, 576).luma),
    );
    t.log(`lowest ${Math.min(...psnr).toFixed(1)} dB`);
    t.true(Math.min(...psnr) >= 36);
  });

  test(`H264Encoder, takes frames without waiting and reads each before the call returns, of ${backend}`, async (t) => {
    const encoder = await openH264Encoder({ ...small, backend });
    const shared = patternPicture(96, 64, 0);
    const waits = Array.from({ length: 20 }, (_, i) => {
      shared.set(patternPicture(96, 64, i));
      return encoder.encode(imageOf(shared, 96, 64), i);
    });
    const file = await encoder.finish();
    await Promise.all(waits);
    const source = await openPictureSource(temporaryFile('out.mp4', file));
    const numbers = Array.from({ length: source.frameCount }, (_, i) =>
      readFrameNumber(imageOf(source.picture(i), 96, 64)),
    );
    t.deepEqual(
      numbers,
      Array.from({ length: 20 }, (_, i) => i),
    );
  });

  for (const [width, height] of [
    [16, 16],
    [98, 66],
    [18, 130],
  ] as const) {
    test(`H264Encoder, keeps the size, of ${width}x${height} with ${backend}`, async (t) => {
      const encoder = await openH264Encoder({ ...small, widthPixels: width, heightPixels: height, backend });
      const picture = patternPicture(width, height, 1);
      await encoder.encode(imageOf(picture, width, height), 0);
      const source = await openPictureSource(temporaryFile('out.mp4', await encoder.finish()));
      t.deepEqual([source.widthPixels, source.heightPixels, source.frameCount], [width, height, 1]);
      t.true(lumaPsnr(imageOf(source.picture(0), width, height).luma, imageOf(picture, width, height).luma) >= 30);
    });
  }

  test(`H264Encoder, refuses frames of another size or out of order and goes on, of ${backend}`, async (t) => {
    const encoder = await openH264Encoder({ ...small, backend });
    await encoder.encode(smallPicture(0), 5);
    await t.throwsAsync(encoder.encode(smallPicture(1), 5), { instanceOf: RangeError, message: /above 5/ });
    await t.throwsAsync(encoder.encode(imageOf(patternPicture(96, 66, 1), 96, 66), 6), {
      message: /NV12 of 96x64, got/,
    });
    await encoder.encode(smallPicture(1), 6);
    t.is((await openPictureSource(temporaryFile('out.mp4', await encoder.finish()))).frameCount, 2);
  });

  test(`H264Encoder, rejects every call, after finish and after close of ${backend}`, async (t) => {
    const finished = await openH264Encoder({ ...small, backend });
    t.is((await finished.finish()).length, 0, 'no frames, no file');
    finished.close();
    const closed = await openH264Encoder({ ...small, backend });
    await closed.encode(smallPicture(0), 0);
    closed.close();
    closed.close();
    for (const encoder of [finished, closed]) {
      await t.throwsAsync(encoder.encode(smallPicture(1), 1), {
        message: /Cannot encode frame 1: the encoder (is finished|was closed)/,
      });
      await t.throwsAsync(encoder.finish(), { message: /the encoder (is finished|was closed)/ });
    }
  });

  test(`H264Encoder, keeps the time of the frames, across a gap with ${backend}`, async (t) => {
    const encoder = await openH264Encoder({ ...small, frameRate: { num: 30000, den: 1001 }, backend });
    for (const index of [3, 4, 10]) await encoder.encode(smallPicture(index), index);
    const times = await readMp4Times(await encoder.finish());
    t.deepEqual(
      times.map((seconds) => Math.round((seconds * 30000) / 1001)),
      [3, 4, 10],
    );
  });
}

test('H264Encoder, rejects what is pending, on close of webcodecs', async (t) => {
  const encoder = await openH264Encoder({ ...small, backend: 'webcodecs' });
  const waits = [0, 1, 2].map((i) => encoder.encode(smallPicture(i), i));
  encoder.close();
  for (const result of await Promise.allSettled(waits)) t.is(result.status, 'rejected');
});

/** Native codecs whose encoder takes frames and gives none, and fails when told to. */
function silentCodecs(failAtFrame?: number) {
  class VideoEncoder {
    static async isConfigSupported() {
      return { supported: true };
    }
    state = 'configured';
    #frames = 0;
    readonly #error: (error: Error) => void;
    constructor(init: { error: (error: Error) => void }) {
      this.#error = init.error;
    }
    configure() {}
    encode() {
      if (this.#frames++ === failAtFrame) setImmediate(() => this.#error(new Error('out of macroblocks')));
    }
    async flush() {}
    close() {
      this.state = 'closed';
    }
  }
  class VideoFrame {
    close() {}
  }
  return async () => ({ VideoEncoder, VideoFrame }) as unknown as WebCodecs;
}

test('H264Encoder, rejects instead of waiting, when webcodecs loses a frame', async (t) => {
  const encoder = await openH264Encoder(small, silentCodecs());
  const lost = encoder.encode(smallPicture(0), 0);
  const message = 'Cannot encode the video: no bitstream came for 1 of its frames';
  await Promise.all([t.throwsAsync(encoder.finish(), { message }), t.throwsAsync(lost, { message })]);
});

test('H264Encoder, rejects every pending and later call, when webcodecs fails', async (t) => {
  const encoder = await openH264Encoder(small, silentCodecs(1));
  const waits = [0, 1].map((i) => encoder.encode(smallPicture(i), i));
  for (const wait of waits) await t.throwsAsync(wait, { message: 'out of macroblocks' });
  await t.throwsAsync(encoder.encode(smallPicture(2), 2), { message: 'Cannot encode frame 2: out of macroblocks' });
  await t.throwsAsync(encoder.finish(), { message: 'out of macroblocks' });
});

test('H264Encoder, gives the same bytes for the same pictures, of h264-mp4-encoder', async (t) => {
  const files = [];
  for (let run = 0; run < 2; run++) {
    const encoder = await openH264Encoder({ ...small, backend: 'h264-mp4-encoder' });
    for (let i = 0; i < 30; i++) await encoder.encode(smallPicture(i), i);
    files.push(await encoder.finish());
    // The container's dates have whole seconds.
    const second = Math.floor(Date.now() / 1000);
    while (run === 0 && Math.floor(Date.now() / 1000) === second) await new Promise((resolve) => setImmediate(resolve));
  }
  t.deepEqual(Buffer.compare(files[0], files[1]), 0);
});

test('H264Encoder, encodes two videos at once without mixing them, of h264-mp4-encoder', async (t) => {
  const alone = await openH264Encoder({ ...small, backend: 'h264-mp4-encoder' });
  const other = await openH264Encoder({ ...small, backend: 'h264-mp4-encoder' });
  for (let i = 0; i < 10; i++) {
    await alone.encode(smallPicture(i), i);
    await other.encode(smallPicture(500 + i), i);
  }
  const sources = [];
  for (const encoder of [alone, other]) {
    sources.push(await openPictureSource(temporaryFile('out.mp4', await encoder.finish())));
  }
  t.deepEqual(
    sources.map((source) => readFrameNumber(imageOf(source.picture(9), 96, 64))),
    [9, 509],
  );
});

test('openH264Encoder, leaves the process its own listeners, with h264-mp4-encoder', async (t) => {
  const events = ['uncaughtException', 'unhandledRejection'];
  const before = events.map((event) => process.listenerCount(event));
  const encoder = await openH264Encoder({ ...small, backend: 'h264-mp4-encoder' });
  encoder.close();
  t.deepEqual(
    events.map((event) => process.listenerCount(event)),
    before,
  );
});

test('openH264Encoder, takes h264-mp4-encoder for auto and refuses webcodecs, without the native codecs', async (t) => {
  const encoder = await openH264Encoder(small, noCodecs);
  t.is(encoder.backend, 'h264-mp4-encoder');
  encoder.close();
  await t.throwsAsync(openH264Encoder({ ...small, backend: 'webcodecs' }, noCodecs), {
    message: /^Cannot encode video: the optional package @napi-rs\/webcodecs/,
  });
});

test('h264SizeProblem, names the rule, on the wrong side of each bound', (t) => {
  for (const [width, height] of [
    [16, 16],
    [7680, 4320],
    [4320, 7680],
    [98, 66],
  ]) {
    t.is(h264SizeProblem(width, height), undefined);
  }
  t.regex(h264SizeProblem(641, 480) ?? '', /even for H\.264, got 641x480/);
  t.regex(h264SizeProblem(640, 481) ?? '', /even/);
  t.regex(h264SizeProblem(14, 64) ?? '', /16 to 7680/);
  t.regex(h264SizeProblem(7682, 64) ?? '', /16 to 7680/);
  t.regex(h264SizeProblem(7680, 4322) ?? '', /at most 7680x4320/);
});

test('openH264Encoder, refuses, sizes, rates and bitrates out of range', async (t) => {
  for (const wrong of [
    { widthPixels: 97 },
    { frameRate: { num: 0, den: 1 } },
    { frameRate: { num: 30, den: 0 } },
    { frameRate: { num: 29.97, den: 1 } },
    { bitrate: 10 },
  ]) {
    await t.throwsAsync(openH264Encoder({ ...small, ...wrong }), { instanceOf: RangeError });
  }
});
