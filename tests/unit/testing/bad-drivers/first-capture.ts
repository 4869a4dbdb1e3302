/** A source that waits for the next tick when it comes late, and counts its frames from the start of the run all the same. */
import { firstTickAt, tickTime } from '@dmabuf-lab/core/base';
import { defineDriver, frameFormat, output } from '@dmabuf-lab/core/driver';
import { z } from 'zod';

const RATE = { num: 100, den: 1 };
const ports = { out: output() };

export default defineDriver({
  name: 'first-capture',
  parameters: z.strictObject({}),
  ports,
  plan: () => ({ outputs: { out: frameFormat('NV12', 64, 48, RATE) } }),
  *run(ctx) {
    const { out } = ctx.ports;
    const lane = ctx.lane();
    const first = firstTickAt(ctx.now(), RATE);
    for (let sequence = 0; yield* ctx.tick(tickTime(first + sequence, RATE)); sequence += 1) {
      using frame = yield* out.acquireForTick(lane);
      if (frame === undefined) {
        ctx.dropped(sequence);
        continue;
      }
      frame.describe(sequence, tickTime(sequence, RATE));
      using job = yield* ctx.tryBegin(lane, [{ frame, write: true }]);
      if (job === undefined) continue;
      ctx.seal(job, frame);
      job.end();
      yield* out.push(frame);
    }
  },
});
