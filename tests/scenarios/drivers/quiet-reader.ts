/** A sink that publishes no fence of its own, as a display does not: what it reads it has waited for. */
import { defineDriver, input } from '@dmabuf-lab/core/driver';
import { z } from 'zod';

export default defineDriver({
  name: 'quiet-reader',
  parameters: z.strictObject({}),
  ports: { in: input() },
  plan: () => ({ outputs: {} }),

  *run(ctx) {
    const { in: source } = ctx.ports;
    const lane = ctx.lane();
    for (;;) {
      using frame = yield* source.take();
      if (frame === undefined) return;
      using job = yield* ctx.begin(lane, [{ frame, write: false }], { publish: false });
      ctx.verify(job, frame);
      job.end();
      source.release(frame);
    }
  },
});
