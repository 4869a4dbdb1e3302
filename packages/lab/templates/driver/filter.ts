/** DRIVER_TITLE: takes NV12 frames, changes their brightness, and gives NV12 frames from a pool of its own. */
import { defineDriver, input, output, serviceTimeSchema } from '@dmabuf-lab/core/driver';
import { nv12Of } from '@dmabuf-lab/drivers/pixels';
import { z } from 'zod';

export default defineDriver({
  name: 'DRIVER_NAME',

  // What a scenario may say of it. A wrong value is refused before the run, with the line of the file.
  parameters: z.strictObject({
    gain: z.number().min(0).max(4).default(1.2).meta({ description: 'what luma is multiplied by' }),
    service: serviceTimeSchema
      .default({ kind: 'fixed', fixedNs: 3_000_000 })
      .meta({ description: 'time of one frame' }),
  }),

  ports: { in: input({ formats: ['NV12'] }), out: output() },

  // What its outputs carry, given what comes in.
  plan(_parameters, { in: format }) {
    return { outputs: { out: format } };
  },

  // The driver itself. Whatever may wait is yield*-ed; nothing else waits.
  *run(ctx) {
    const { in: source, out } = ctx.ports;
    const { gain, service } = ctx.parameters;
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
          const bright = to.luma.beginRow(y, 'fill');
          const row = from.luma.row(y);
          for (let x = 0; x < row.length; x += 1) bright[x] = Math.min(235, row[x] * gain);
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
