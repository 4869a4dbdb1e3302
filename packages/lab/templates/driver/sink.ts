/** DRIVER_TITLE: takes NV12 frames and measures how bright they are. */
import { defineDriver, input, serviceTimeSchema } from '@dmabuf-lab/core/driver';
import { nv12Of } from '@dmabuf-lab/drivers/pixels';
import { z } from 'zod';

export default defineDriver({
  name: 'DRIVER_NAME',

  // What a scenario may say of it. A wrong value is refused before the run, with the line of the file.
  parameters: z.strictObject({
    service: serviceTimeSchema
      .default({ kind: 'fixed', fixedNs: 2_000_000 })
      .meta({ description: 'time of one frame' }),
  }),

  ports: { in: input({ formats: ['NV12'] }) },

  plan() {
    return { outputs: {} };
  },

  // The driver itself. Whatever may wait is yield*-ed; nothing else waits.
  *run(ctx) {
    const { in: source } = ctx.ports;
    const lane = ctx.lane();
    const random = ctx.random('service');
    for (;;) {
      // At the end of the scope a frame that is still here goes back, and a job that has not ended fails.
      using frame = yield* source.take();
      if (frame === undefined) return; // the stream has ended
      using job = yield* ctx.tryBegin(lane, [{ frame, write: false }]);
      if (job === undefined) continue; // no storage for it just now: the frame is dropped and counted

      if (ctx.verify(job, frame)) ctx.count('measured');
      if (ctx.payload === 'pixels') {
        const { luma } = nv12Of(frame, job.segments(frame));
        let sum = 0;
        for (let y = 0; y < luma.heightRows; y += 1) for (const value of luma.row(y)) sum += value;
        if (sum / (luma.heightRows * luma.widthBytes) > 128) ctx.count('bright');
      }
      yield* ctx.serve(job, ctx.parameters.service, random);
      job.end();
      ctx.arrived('measured', frame);
      source.release(frame, job);
    }
  },
});
