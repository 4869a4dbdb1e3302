/** A source that begins with tick 0 whenever it begins, and so catches up with what was before it came. */
import { tickTime } from '@dmabuf-lab/core/base';
import { defineDriver, frameFormat, output } from '@dmabuf-lab/core/driver';
import { z } from 'zod';

const RATE = { num: 100, den: 1 };
const ports = { out: output() };

export default defineDriver({
  name: 'first-tick',
  parameters: z.strictObject({}),
  ports,
  plan: () => ({ outputs: { out: frameFormat('NV12', 64, 48, RATE) } }),
  *run(ctx) {
    const { out } = ctx.ports;
    const lane = ctx.lane();
    for (let tick = 0; yield* ctx.tick(tickTime(tick, RATE)); tick += 1) {
      using frame = yield* out.acquireForTick(lane);
      if (frame === undefined) {
        ctx.dropped(tick);
        continue;
      }
      frame.describe(tick, ctx.now());
      using job = yield* ctx.tryBegin(lane, [{ frame, write: true }]);
      if (job === undefined) continue;
      ctx.seal(job, frame);
      job.end();
      yield* out.push(frame);
    }
  },
});
