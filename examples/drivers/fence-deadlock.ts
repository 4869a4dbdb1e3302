/**
 * A driver with a mistake: it begins a second job while the fence of its first is published and not signalled, and the second may have to
 * wait for somebody who waits for the first. The rule it breaks: **nothing may wait between publishing a fence and signalling it**
 * (Documentation/driver-api/dma-buf.rst, "DMA Fence Cross-Driver Contract", v6.12).
 *
 * Two of it, each with the other's buffer first, stand still for ever. docs/finding-a-deadlock.md shows how the laboratory
 * finds it. The remedy is one job on both buffers: their fences are waited for first, then published all at once.
 */
import { defineDriver, input } from '@dmabuf-lab/core/driver';
import { z } from 'zod';

export default defineDriver({
  name: 'fence-deadlock',
  parameters: z.strictObject({
    order: z.enum(['left-first', 'right-first']).default('left-first'),
    together: z.boolean().default(false).meta({ description: 'the remedy: one job on both buffers' }),
  }),
  ports: { left: input(), right: input() },

  plan() {
    return { outputs: {} };
  },

  *run(ctx) {
    const { left, right } = ctx.ports;
    const lane = ctx.lane();
    for (;;) {
      using l = yield* left.take();
      using r = yield* right.take();
      if (l === undefined || r === undefined) return;
      const [first, second] = ctx.parameters.order === 'left-first' ? [l, r] : [r, l];
      const accesses = [first, second].map((frame) => ({ frame, write: true }));
      if (ctx.parameters.together) {
        using job = yield* ctx.tryBegin(lane, accesses);
        if (job === undefined) continue;
        yield* ctx.sleepUntil(ctx.now() + 2_000_000);
        job.end();
      } else {
        // Maps both, so that the jobs below wait for fences alone.
        using warm = yield* ctx.tryBegin(
          lane,
          accesses.map(({ frame }) => ({ frame, write: false })),
        );
        if (warm === undefined) continue;
        warm.end();
        yield* ctx.sleepUntil(ctx.now() + 1_000_000);
        using one = yield* ctx.tryBegin(lane, [accesses[0]]); // publishes a fence on the first
        if (one === undefined) continue;
        yield* ctx.sleepUntil(ctx.now() + 1_000_000);
        using two = yield* ctx.tryBegin(lane, [accesses[1]]); // waits for the fence on the second
        one.end();
        two?.end();
      }
      ctx.count('both');
    }
  },
});
