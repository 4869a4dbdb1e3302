/** Reads a buffer of each of two inputs in one job, and names the left one first until 195 ms, then the right one. */
import { defineDriver, input } from '@dmabuf-lab/core/driver';
import { z } from 'zod';

const TURN_NS = 195_000_000;

export default defineDriver({
  name: 'turning-locks',
  parameters: z.strictObject({}),
  ports: { left: input(), right: input() },
  plan: () => ({ outputs: {} }),
  *run(ctx) {
    const { left, right } = ctx.ports;
    const lane = ctx.lane();
    for (;;) {
      using l = yield* left.take();
      using r = yield* right.take();
      if (l === undefined || r === undefined) return;
      const isTurned = ctx.now() >= TURN_NS;
      using job = yield* ctx.tryBegin(
        lane,
        (isTurned ? [r, l] : [l, r]).map((frame) => ({ frame, write: false })),
      );
      if (job === undefined) continue;
      job.end();
      ctx.count(isTurned ? 'turned' : 'straight');
    }
  },
});
