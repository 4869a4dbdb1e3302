/**
 * A driver that reads a buffer of each of two inputs in one job, and names them in the order of its parameter. With acquire
 * contexts, as Linux has them, any order will do: whoever is younger backs off. Without them (`debug.reservationLocks: plain`) two of it
 * with different orders can wait for each other for ever, and the laboratory names the two orders also in a run in which they
 * never do. docs/finding-a-deadlock.md shows how.
 */
import { defineDriver, input } from '@dmabuf-lab/core/driver';
import { z } from 'zod';

export default defineDriver({
  name: 'opposite-locks',
  parameters: z.strictObject({
    order: z.enum(['left-first', 'right-first']).default('left-first'),
    afterMs: z
      .int()
      .min(0)
      .max(1000)
      .default(0)
      .meta({ description: 'begins its job so long after it got both frames' }),
  }),
  ports: { left: input(), right: input() },

  plan() {
    return { outputs: {} };
  },

  *run(ctx) {
    const { left, right } = ctx.ports;
    const { order, afterMs } = ctx.parameters;
    const lane = ctx.lane();
    for (;;) {
      using l = yield* left.take();
      using r = yield* right.take();
      if (l === undefined || r === undefined) return;
      if (afterMs > 0) yield* ctx.sleepUntil(ctx.now() + afterMs * 1_000_000);
      const inOrder = order === 'left-first' ? [l, r] : [r, l];
      using job = yield* ctx.tryBegin(
        lane,
        inOrder.map((frame) => ({ frame, write: false })),
      );
      if (job === undefined) continue;
      yield* ctx.sleepUntil(ctx.now() + 2_000_000);
      job.end();
      ctx.count('both');
    }
  },
});
