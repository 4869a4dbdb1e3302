/** Keeps the rows of its picture beyond the job, and reads them there through a helper of the laboratory. */
import { defineDriver, frameFormat, output } from '@dmabuf-lab/core/driver';
import { nv12Of } from '@dmabuf-lab/drivers/pixels';
import { z } from 'zod';

const RATE = { num: 100, den: 1 };
const ports = { out: output() };

export default defineDriver({
  name: 'memory-helper',
  parameters: z.strictObject({}),
  ports,
  plan: () => ({ outputs: { out: frameFormat('NV12', 64, 48, RATE) } }),
  *run(ctx) {
    const { out } = ctx.ports;
    const lane = ctx.lane();
    for (let sequence = 0; yield* ctx.tick(ctx.now() + 10_000_000); sequence += 1) {
      using frame = yield* out.acquireForTick(lane);
      if (frame === undefined) continue;
      frame.describe(sequence, ctx.now());
      using job = yield* ctx.tryBegin(lane, [{ frame, write: true }]);
      if (job === undefined) continue;
      const image = ctx.payload === 'pixels' ? nv12Of(frame, job.segments(frame)) : undefined;
      ctx.seal(job, frame);
      job.end();
      yield* out.push(frame);
      image?.luma.row(0);
    }
  },
});
