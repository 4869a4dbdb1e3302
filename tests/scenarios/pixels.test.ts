import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openPictureSource } from '@dmabuf-lab/drivers/media';
import {
  lumaPsnr,
  nv12ImageOf,
  nv12Layout,
  readFrameNumber,
  rgbaImageOf,
  rgbaLayout,
} from '@dmabuf-lab/drivers/pixels';
import type { RunOutcome } from '@dmabuf-lab/lab';
import test from 'ava';
import { CLIP, clipIsThere, example, numbersOf, runFile } from './run-file.js';

/** The NV12 pictures of the encoder's video, decoded. */
async function decodedVideo(outcome: RunOutcome) {
  const video = outcome.artefacts.find(({ kind }) => kind === 'video');
  if (video === undefined) throw new Error('the run left no video');
  const folder = await mkdtemp(join(tmpdir(), 'dmabuf-lab-test-'));
  try {
    const path = join(folder, 'video.mp4');
    await writeFile(path, video.bytes);
    return { video, source: await openPictureSource(path) };
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('late-encoder, on threads in pixels, leaves a video whose frames carry the numbers that the result states', async (t) => {
  const outcome = await runFile(example('late-encoder'), { overrides: { duration: 7_000_000_000 } });
  const { result } = outcome;
  t.true(result.ledger.empty);
  const sequences = numbersOf(result.devices.encoder.sequences.encoded);
  const { video, source } = await decodedVideo(outcome);
  t.is(video.frames, sequences.length);
  t.is(source.frameCount, sequences.length);
  const layout = nv12Layout(source.widthPixels, source.heightPixels);
  const numbers = sequences.map((_, i) => readFrameNumber(nv12ImageOf([source.picture(i)], layout)));
  t.deepEqual(numbers, sequences);
  for (const [name, { counters }] of Object.entries(result.devices)) t.is(counters.checksFailed ?? 0, 0, name);
  t.true(result.devices.display.counters.checksPassed > 0);
});

test('late-encoder, in virtual time and pixels, twice, gives the same video, pictures and checksums', async (t) => {
  const digests: string[] = [];
  for (let i = 0; i < 2; i += 1) {
    const outcome = await runFile(example('late-encoder'), {
      overrides: { runtime: 'virtual', payload: 'pixels', duration: 5_500_000_000 },
    });
    const hash = createHash('sha256');
    for (const { name, bytes } of outcome.artefacts) hash.update(name).update(bytes);
    digests.push(hash.digest('hex'));
    t.is(outcome.artefacts.find(({ kind }) => kind === 'video')?.backend, 'h264-mp4-encoder');
    const picture = outcome.artefacts.find(({ kind }) => kind === 'picture');
    t.deepEqual([picture?.widthPixels, picture?.heightPixels], [640, 480]);
  }
  t.is(digests[0], digests[1]);
});

test('late-encoder, with a real clip on threads, encodes its pictures at 30 dB or better, frame for frame', async (t) => {
  if (!clipIsThere()) {
    t.log('skipped: the clip is not on this machine');
    t.pass();
    return;
  }
  const outcome = await runFile(example('late-encoder'), {
    cameraFile: CLIP,
    overrides: { duration: 8_000_000_000 },
  });
  const { result } = outcome;
  t.true(result.ledger.empty);
  t.is(result.devices.encoder.counters.checksFailed ?? 0, 0);
  const clip = await openPictureSource(CLIP);
  const { source } = await decodedVideo(outcome);
  const layout = nv12Layout(clip.widthPixels, clip.heightPixels);
  const luma = (picture: Uint8Array) => nv12ImageOf([picture], layout).luma;
  const sequences = numbersOf(result.devices.encoder.sequences.encoded);
  t.is(source.frameCount, sequences.length);
  const psnr = sequences.map((n, i) => lumaPsnr(luma(clip.picture(n % clip.frameCount)), luma(source.picture(i))));
  t.log(`worst ${Math.min(...psnr).toFixed(1)} dB over ${psnr.length} frames`);
  t.true(Math.min(...psnr) >= 30);
  // The display's pictures show the clip: their luma, by the same colour conversion, is near the clip's.
  const pictures = outcome.artefacts.filter(({ kind }) => kind === 'picture');
  t.is(pictures.length, 3);
  for (const { name, bytes, widthPixels = 0, heightPixels = 0 } of pictures) {
    const n = Number(/\d+/.exec(name)?.[0]);
    const shown = rgbaImageOf([bytes], rgbaLayout(widthPixels, heightPixels)).pixels;
    t.true(meanLumaError(shown, luma(clip.picture(n % clip.frameCount)), heightPixels / 2) < 4, name);
  }
});

/** Mean difference of luma over the upper rows, which the overlay leaves free. BT.601, limited range. */
function meanLumaError(
  rgba: ReturnType<typeof rgbaImageOf>['pixels'],
  luma: ReturnType<typeof nv12ImageOf>['luma'],
  rows: number,
): number {
  let sum = 0;
  for (let y = 0; y < rows; y += 1) {
    const [shown, wanted] = [rgba.row(y), luma.row(y)];
    for (let x = 0; x < wanted.length; x += 1) {
      const [r, g, b] = [shown[4 * x], shown[4 * x + 1], shown[4 * x + 2]];
      sum += Math.abs(16 + (65.5 * r + 128.6 * g + 25 * b) / 255 - wanted[x]);
    }
  }
  return sum / (rows * luma.widthBytes);
}
