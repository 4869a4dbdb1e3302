/** DRIVER_TITLE: a source of NV12 frames, a bar that wanders over grey, at the ticks of its own clock. */
import { firstTickAt, tickTime } from '@dmabuf-lab/core/base';
import { defineDriver, frameFormat, output, rateSchema } from '@dmabuf-lab/core/driver';
import { nv12Of } from '@dmabuf-lab/drivers/pixels';
import { z } from 'zod';

export default defineDriver({
  name: 'DRIVER_NAME',

  // What a scenario may say of it. A wrong value is refused before the run, with the line of the file.
  parameters: z.strictObject({
    width: z.number().int().min(2).max(8192).multipleOf(2).default(320).meta({ description: 'pixels, even' }),
    height: z.number().int().min(2).max(8192).multipleOf(2).default(240).meta({ description: 'pixels, even' }),
    rate: rateSchema.default({ num: 30, den: 1 }).meta({ description: 'frames a second' }),
  }),

  ports: { out: output() },

  // What its outputs carry.
  plan({ width, height, rate }) {
    return { outputs: { out: frameFormat('NV12', width, height, rate) } };
  },

  // The driver itself. Whatever may wait is yield*-ed; nothing else waits.
  *run(ctx) {
    const { out } = ctx.ports;
    const lane = ctx.lane();
    // Whoever comes late, or again after a death, begins with the next tick.
    const first = firstTickAt(ctx.backPressured ? 0 : ctx.now(), ctx.parameters.rate);
    for (let sequence = 0; ; sequence += 1) {
      const tickNs = tickTime(first + sequence, ctx.parameters.rate);
      if (!(yield* ctx.tick(tickNs))) return; // the run ends
      // At the end of the scope a frame that is still here goes back, and a job that has not ended fails.
      using frame = yield* out.acquireForTick(lane);
      if (frame === undefined) {
        ctx.dropped(sequence); // no buffer is free at the tick: the frame is lost, and its number with it
        continue;
      }
      frame.describe(sequence, ctx.backPressured ? ctx.now() : tickNs);
      using job = yield* ctx.tryBegin(lane, [{ frame, write: true }]);
      if (job === undefined) {
        ctx.dropped(sequence); // no storage for it just now
        continue;
      }
      if (ctx.payload === 'pixels') {
        const { luma, chroma } = nv12Of(frame, job.segments(frame));
        for (let y = 0; y < luma.heightRows; y += 1) {
          const row = luma.beginRow(y, 'fill');
          row.fill(96);
          row.fill(200, sequence % row.length, (sequence % row.length) + 16);
          luma.endRow(y);
        }
        for (let y = 0; y < chroma.heightRows; y += 1) {
          chroma.beginRow(y, 'fill').fill(128);
          chroma.endRow(y);
        }
      }
      ctx.seal(job, frame);
      job.end();
      yield* out.push(frame);
    }
  },
});
