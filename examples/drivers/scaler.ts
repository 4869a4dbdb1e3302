/**
 * A scaler: NV12 of one size in, NV12 of another out, each output pixel the mean of four (bilinear). Like a 2D scaling engine it takes
 * its time by the bytes it moves, and hands each picture on when the job is submitted, with the job's fence.
 *
 * Run it: `npm run -s lab -- run examples/drivers/scaler.yaml --out out/scaler`.
 */
import { defineDriver, frameFormat, input, output, serviceTimeSchema } from '@dmabuf-lab/core/driver';
import { nv12Of, type PlaneRows } from '@dmabuf-lab/drivers/pixels';
import { z } from 'zod';

const side = z.number().int().min(16).max(8192).multipleOf(2);

export default defineDriver({
  name: 'scaler',
  parameters: z.strictObject({
    width: side.default(320).meta({ description: 'pixels of the output, even' }),
    height: side.default(240).meta({ description: 'pixels of the output, even' }),
    service: serviceTimeSchema
      .default({ kind: 'fixed', fixedNs: 2_000_000 })
      .meta({ description: 'time of one picture' }),
  }),
  ports: { in: input({ formats: ['NV12'] }), out: output() },

  plan({ width, height }, { in: { widthPixels, heightPixels, rate } }) {
    const ratios = [width / widthPixels, height / heightPixels];
    const problems = ratios.some((ratio) => ratio < 1 / 8 || ratio > 8)
      ? [`it scales by 1/8 to 8, and its input is ${widthPixels}x${heightPixels} for an output of ${width}x${height}`]
      : [];
    return { outputs: { out: frameFormat('NV12', width, height, rate) }, problems };
  },

  *run(ctx) {
    const { in: source, out } = ctx.ports;
    const lane = ctx.lane();
    const random = ctx.random('service');
    for (;;) {
      using frame = yield* source.take();
      if (frame === undefined) return;
      using target = yield* out.acquire(lane);
      target.describe(frame.sequence, frame.capturedNs);
      yield* out.room(); // before a fence is owed: nothing may wait between publishing it and signalling it
      using job = yield* ctx.tryBegin(lane, [
        { frame, write: false },
        { frame: target, write: true },
      ]);
      if (job === undefined) continue;
      target.readyAfter(job); // consumers have it at once, and wait for the fence of the job
      yield* out.push(target);
      const isGood = ctx.verify(job, frame);
      if (ctx.payload === 'pixels') {
        const from = nv12Of(frame, job.segments(frame));
        const to = nv12Of(target, job.segments(target));
        scalePlane(from.luma, to.luma, 1);
        scalePlane(from.chroma, to.chroma, 2);
      }
      ctx.seal(job, target);
      yield* ctx.serve(job, ctx.parameters.service, random);
      job.end(isGood ? undefined : 'EIO');
      source.release(frame, job);
    }
  },
});

/** @param channels bytes of a pixel, each scaled for itself */
function scalePlane(from: PlaneRows, to: PlaneRows, channels: number): void {
  const fromWidth = from.widthBytes / channels;
  const toWidth = to.widthBytes / channels;
  const above = new Uint8Array(from.widthBytes);
  for (let y = 0; y < to.heightRows; y += 1) {
    const at = positionOf(y, to.heightRows, from.heightRows);
    above.set(from.row(at.first)); // a row is valid until the next one is asked for
    const below = from.row(at.second);
    const scaled = to.beginRow(y, 'fill');
    for (let x = 0; x < toWidth; x += 1) {
      const { first, second, share } = positionOf(x, toWidth, fromWidth);
      for (let c = 0; c < channels; c += 1) {
        const [left, right] = [first * channels + c, second * channels + c];
        const top = above[left] * (1 - share) + above[right] * share;
        const bottom = below[left] * (1 - share) + below[right] * share;
        scaled[x * channels + c] = Math.round(top * (1 - at.share) + bottom * at.share);
      }
    }
    to.endRow(y);
  }
}

/** Between which two samples the centre of an output sample lies, and how near the second. */
function positionOf(index: number, size: number, fromSize: number): { first: number; second: number; share: number } {
  const exact = Math.min(fromSize - 1, Math.max(0, ((index + 0.5) * fromSize) / size - 0.5));
  const first = Math.floor(exact);
  return { first, second: Math.min(fromSize - 1, first + 1), share: exact - first };
}
