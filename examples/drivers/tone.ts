/**
 * A driver of your own: gives each picture another contrast and brightness, or inverts it, as an image signal processor (ISP)
 * does with its tone curve. Takes NV12 and gives NV12 in buffers of its own.
 *
 * Run it: `npm run -s lab -- run examples/drivers/tone.yaml --out out/tone`. No build step is needed.
 */
import { defineDriver, input, output, serviceTimeSchema } from '@dmabuf-lab/core/driver';
import { nv12Of } from '@dmabuf-lab/drivers/pixels';
import { z } from 'zod';
import { toneCurve } from './tone-curve.js';

export default defineDriver({
  name: 'tone',
  parameters: z.strictObject({
    gain: z.number().min(-4).max(4).meta({ description: 'contrast: 1 changes nothing, -1 inverts' }),
    lift: z.number().min(-1).max(1).default(0).meta({ description: 'brightness: 0 changes nothing' }),
    service: serviceTimeSchema
      .default({ kind: 'fixed', fixedNs: 2_000_000 })
      .meta({ description: 'time of one picture' }),
  }),
  ports: { in: input({ formats: ['NV12'] }), out: output() },

  plan(_parameters, { in: format }) {
    return { outputs: { out: format } };
  },

  *run(ctx) {
    const { in: source, out } = ctx.ports;
    const { gain, lift, service } = ctx.parameters;
    const curve = toneCurve(gain, lift);
    const lane = ctx.lane();
    const random = ctx.random('service');
    for (;;) {
      // At the end of the scope a frame that is still here goes back, and a job that has not ended fails.
      using frame = yield* source.take();
      if (frame === undefined) return; // the stream has ended
      using target = yield* out.acquire(lane);
      target.describe(frame.sequence, frame.capturedNs);
      using job = yield* ctx.tryBegin(lane, [
        { frame, write: false },
        { frame: target, write: true },
      ]);
      if (job === undefined) continue; // no storage for them just now: the frame is dropped and counted
      const isGood = ctx.verify(job, frame);
      if (ctx.payload === 'pixels') {
        const from = nv12Of(frame, job.segments(frame));
        const to = nv12Of(target, job.segments(target));
        for (let y = 0; y < from.luma.heightRows; y += 1) {
          const luma = from.luma.row(y);
          const toned = to.luma.beginRow(y, 'fill');
          for (let x = 0; x < luma.length; x += 1) toned[x] = curve[luma[x]];
          to.luma.endRow(y);
        }
        for (let y = 0; y < from.chroma.heightRows; y += 1) to.chroma.writeRow(y, from.chroma.row(y));
      }
      ctx.seal(job, target);
      yield* ctx.serve(job, service, random);
      job.end(isGood ? undefined : 'EIO');
      source.release(frame, job);
      yield* out.push(target);
    }
  },
});
