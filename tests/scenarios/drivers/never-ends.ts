/** Takes frames, and when there are no more goes on waking up for ever; mapped, if that is asked for. */
import { defineDriver, input } from '@dmabuf-lab/core/driver';
import { z } from 'zod';

const WAKES_NS = 10_000_000;

export default defineDriver({
  name: 'never-ends',
  parameters: z.strictObject({ keepsMapped: z.boolean().default(false) }),
  ports: { in: input() },
  plan() {
    return { outputs: {} };
  },
  *run(ctx) {
    const lane = ctx.lane();
    for (let taken = 0; ; taken += 1) {
      using frame = yield* ctx.ports.in.take();
      if (frame === undefined) break;
      using job = yield* ctx.begin(lane, [{ frame, write: false }]);
      while (ctx.parameters.keepsMapped && taken === 5) yield* ctx.sleepUntil(ctx.now() + WAKES_NS);
      job.end();
      ctx.arrived('taken', frame);
    }
    for (;;) yield* ctx.sleepUntil(ctx.now() + WAKES_NS);
  },
});
