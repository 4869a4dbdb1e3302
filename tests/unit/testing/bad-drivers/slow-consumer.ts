/** A source that takes it for granted that a buffer is free at each tick. */
import { tickTime } from '@dmabuf-lab/core/base';
import { defineDriver, frameFormat, output } from '@dmabuf-lab/core/driver';
import { z } from 'zod';

const RATE = { num: 100, den: 1 };
const ports = { out: output() };

export default defineDriver({
  name: 'slow-consumer',
  parameters: z.strictObject({}),
  ports,
  plan: () => ({ outputs: { out: frameFormat('NV12', 64, 48, RATE) } }),
  *run(ctx) {
    const { out } = ctx.ports;
    const lane = ctx.lane();
    for (let sequence = 0; yield* ctx.tick(Math.max(ctx.now(), tickTime(sequence, RATE))); sequence += 1) {
      using frame = yield* out.acquireForTick(lane);
      if (frame === undefined) throw new Error('no free buffer');
      frame.describe(sequence, ctx.now());
      using job = yield* ctx.tryBegin(lane, [{ frame, write: true }]);
      if (job === undefined) continue;
      ctx.seal(job, frame);
      job.end();
      yield* out.push(frame);
    }
  },
});
