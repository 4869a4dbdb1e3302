/** A source that sleeps from tick to tick until the run is over, and hears of nothing meanwhile. */
import { NS_PER_SECOND } from '@dmabuf-lab/core/base';
import { defineDriver, frameFormat, output } from '@dmabuf-lab/core/driver';
import { z } from 'zod';

const ports = { out: output() };

export default defineDriver({
  name: 'stop',
  parameters: z.strictObject({}),
  ports,
  plan: () => ({ outputs: { out: frameFormat('NV12', 64, 48, { num: 100, den: 1 }) } }),
  *run(ctx) {
    const { out } = ctx.ports;
    const lane = ctx.lane();
    for (let sequence = 0; ctx.now() < ctx.durationNs; sequence += 1) {
      using frame = yield* out.acquireForTick(lane);
      if (frame === undefined) ctx.dropped(sequence);
      else {
        frame.describe(sequence, ctx.now());
        using job = yield* ctx.tryBegin(lane, [{ frame, write: true }]);
        if (job !== undefined) {
          ctx.seal(job, frame);
          job.end();
          yield* out.push(frame);
        }
      }
      yield* ctx.sleepUntil(ctx.now() + NS_PER_SECOND / 100);
    }
  },
});
