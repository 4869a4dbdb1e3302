/**
 * Reads a buffer of each of two inputs in one job and passes both on: `mixer` names the left one first, others the right one. Who comes after
 * it begins its job when that of the first is over, so that nobody ever waits for a lock.
 */
import { defineDriver, input, output } from '@dmabuf-lab/core/driver';
import { z } from 'zod';

export default defineDriver({
  name: 'relay-locks',
  parameters: z.strictObject({}),
  ports: { left: input(), right: input(), a: output(), b: output() },
  plan: (_, { left, right }) => ({ outputs: { a: left, b: right }, forwards: { a: 'left', b: 'right' } }),
  *run(ctx) {
    const { left, right, a, b } = ctx.ports;
    const lane = ctx.lane();
    for (;;) {
      using l = yield* left.take();
      using r = yield* right.take();
      if (l === undefined || r === undefined) return;
      const inOrder = ctx.device === 'mixer' ? [l, r] : [r, l];
      using job = yield* ctx.tryBegin(
        lane,
        inOrder.map((frame) => ({ frame, write: false })),
      );
      if (job === undefined) continue;
      job.end();
      left.handOver(l);
      yield* a.push(l);
      right.handOver(r);
      yield* b.push(r);
    }
  },
});
