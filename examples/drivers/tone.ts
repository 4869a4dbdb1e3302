/**
 * A driver of your own: gives each picture another contrast and brightness, or inverts it, as an image signal processor (ISP)
 * does with its tone curve. Takes NV12 and gives NV12 in buffers of its own.
 *
 * Run it: `npm run -s lab -- run examples/drivers/tone.yaml --out out/tone`. No build step is needed.
 */
import { type DriverPlan, defineDriver, input, output, serviceTimeSchema } from '@dmabuf-lab/core/driver';
import { nv12ImageOf, nv12Layout } from '@dmabuf-lab/drivers/pixels';
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
  ports: { in: input(), out: output() },

  plan(_parameters, { in: format }): DriverPlan {
    if (format === undefined) return { outputs: {}, problems: ['its input "in" is linked to nothing'] };
    const problems = format.fourcc === 'NV12' ? [] : [`it takes NV12, and its input carries ${format.fourcc}`];
    return { outputs: { out: format }, problems };
  },

  *run(ctx) {
    const { in: source, out } = ctx.ports;
    if (source === undefined) return;
    const { gain, lift, service } = ctx.parameters;
    const curve = toneCurve(gain, lift);
    const lane = ctx.lane();
    const random = ctx.random('service');
    for (let frame = yield* source.take(); frame !== undefined; frame = yield* source.take()) {
      if (out === undefined) {
        source.drop(frame);
        continue;
      }
      const target = yield* out.acquire(lane);
      target.describe(frame.sequence, frame.capturedNs);
      yield* out.room(); // before a fence is owed: nothing may wait between publishing it and signalling it
      const accesses = [
        { frame, write: false },
        { frame: target, write: true },
      ];
      const job = yield* ctx.tryBegin(lane, accesses);
      if (job === undefined) {
        out.cancel(target);
        source.drop(frame);
        continue;
      }
      target.readyAfter(job); // consumers have it at once, and wait for the fence of the job
      yield* out.push(target);
      const isGood = ctx.verify(job, frame);
      if (ctx.payload === 'pixels') {
        const { widthPixels, heightPixels, strideBytes, rows } = frame.format;
        const from = nv12ImageOf(job.segments(frame), nv12Layout(widthPixels, heightPixels, strideBytes, rows));
        const given = target.format; // where other devices ask for it, its rows lie further apart
        const layout = nv12Layout(given.widthPixels, given.heightPixels, given.strideBytes, given.rows);
        const to = nv12ImageOf(job.segments(target), layout);
        for (let y = 0; y < heightPixels; y += 1) {
          const luma = from.luma.row(y);
          const toned = to.luma.beginRow(y, 'fill');
          for (let x = 0; x < luma.length; x += 1) toned[x] = curve[luma[x]];
          to.luma.endRow(y);
        }
        for (let y = 0; y < heightPixels / 2; y += 1) to.chroma.writeRow(y, from.chroma.row(y));
      }
      ctx.seal(job, target);
      yield* ctx.serve(job, service, random);
      job.end(isGood ? undefined : 'EIO');
      source.release(frame, job);
    }
  },
});
