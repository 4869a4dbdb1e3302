/**
 * A privacy filter: makes what has the colour of skin unrecognisable, in blocks of 16x16 pixels.
 *
 * Skin lies in a small region of the chroma plane, whatever its brightness: Cb 77 to 127, Cr 133 to 173 (D. Chai and K. N. Ngan, "Face
 * segmentation using skin-color map in videophone applications", 1999). A block of which enough pixels lie there is replaced
 * by its mean. It finds hands and brick walls too: it is an example of a driver, and no detector.
 *
 * Run it on a clip: `npm run -s lab -- run examples/drivers/blur-faces.yaml --camera street.mp4 --out out/blur`.
 */
import { defineDriver, input, output, serviceTimeSchema } from '@dmabuf-lab/core/driver';
import { type Nv12Image, nv12Of } from '@dmabuf-lab/drivers/pixels';
import { z } from 'zod';

const BLOCK = 16;

export default defineDriver({
  name: 'blur-faces',
  parameters: z.strictObject({
    share: z.number().gt(0).max(1).default(0.4).meta({ description: 'of a block that has to look like skin' }),
    service: serviceTimeSchema
      .default({ kind: 'fixed', fixedNs: 4_000_000 })
      .meta({ description: 'time of one picture' }),
  }),
  ports: { in: input({ formats: ['NV12'] }), out: output() },

  plan(_parameters, { in: format }) {
    return { outputs: { out: format } };
  },

  *run(ctx) {
    const { in: source, out } = ctx.ports;
    const lane = ctx.lane();
    const random = ctx.random('service');
    ctx.count('blurredBlocks', 0);
    for (;;) {
      using frame = yield* source.take();
      if (frame === undefined) return;
      using target = yield* out.acquire(lane);
      target.describe(frame.sequence, frame.capturedNs);
      using job = yield* ctx.tryBegin(lane, [
        { frame, write: false },
        { frame: target, write: true },
      ]);
      if (job === undefined) continue;
      const isGood = ctx.verify(job, frame);
      if (ctx.payload === 'pixels') {
        const from = nv12Of(frame, job.segments(frame));
        ctx.count('blurredBlocks', blur(from, nv12Of(target, job.segments(target)), ctx.parameters.share));
      }
      ctx.seal(job, target);
      yield* ctx.serve(job, ctx.parameters.service, random);
      job.end(isGood ? undefined : 'EIO');
      source.release(frame, job);
      yield* out.push(target);
    }
  },
});

/** Copies a picture, with each block that looks like skin replaced by its mean. @returns how many blocks that were */
function blur(from: Nv12Image, to: Nv12Image, share: number): number {
  const across = Math.ceil(from.widthPixels / BLOCK);
  let blurred = 0;
  for (let top = 0; top < from.heightPixels; top += BLOCK) {
    const bottom = Math.min(from.heightPixels, top + BLOCK);
    const skin = new Uint32Array(across);
    const chromaSums = Array.from({ length: across }, () => [0, 0, 0]);
    for (let y = top / 2; y < bottom / 2; y += 1) {
      const row = from.chroma.row(y);
      for (let x = 0; x < row.length; x += 2) {
        const [cb, cr] = [row[x], row[x + 1]];
        const block = Math.floor(x / BLOCK);
        const sums = chromaSums[block];
        sums[0] += cb;
        sums[1] += cr;
        sums[2] += 1;
        if (cb >= 77 && cb <= 127 && cr >= 133 && cr <= 173) skin[block] += 1;
      }
    }
    const isSkin = chromaSums.map(([, , count], block) => skin[block] >= share * count);
    blurred += isSkin.filter(Boolean).length;
    const lumaSums = new Float64Array(across);
    for (let y = top; y < bottom; y += 1) {
      const row = from.luma.row(y);
      for (let x = 0; x < row.length; x += 1) lumaSums[Math.floor(x / BLOCK)] += row[x];
    }
    for (let y = top; y < bottom; y += 1) {
      const row = from.luma.row(y);
      const written = to.luma.beginRow(y, 'fill');
      for (let x = 0; x < row.length; x += 1) {
        const block = Math.floor(x / BLOCK);
        const pixels = (bottom - top) * Math.min(BLOCK, from.widthPixels - block * BLOCK);
        written[x] = isSkin[block] ? Math.round(lumaSums[block] / pixels) : row[x];
      }
      to.luma.endRow(y);
    }
    for (let y = top / 2; y < bottom / 2; y += 1) {
      const row = from.chroma.row(y);
      const written = to.chroma.beginRow(y, 'fill');
      for (let x = 0; x < row.length; x += 1) {
        const block = Math.floor(x / BLOCK);
        const [cb, cr, count] = chromaSums[block];
        written[x] = isSkin[block] ? Math.round((x % 2 === 0 ? cb : cr) / count) : row[x];
      }
      to.chroma.endRow(y);
    }
  }
  return blurred;
}
