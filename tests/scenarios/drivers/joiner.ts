/** Takes one frame of each of its inputs, in lock step: whoever feeds one of them is held up by whoever feeds the other. */
import { defineDriver, input } from '@dmabuf-lab/core/driver';
import { z } from 'zod';

export default defineDriver({
  name: 'joiner',
  parameters: z.strictObject({}),
  ports: { left: input(), right: input() },
  plan() {
    return { outputs: {} };
  },
  *run(ctx) {
    const { left, right } = ctx.ports;
    const lane = ctx.lane();
    for (;;) {
      using first = yield* left.take();
      using second = yield* right.take();
      if (first === undefined || second === undefined) return;
      const accesses = [first, second].map((frame) => ({ frame, write: false }));
      using job = yield* ctx.tryBegin(lane, accesses);
      if (job === undefined) continue;
      job.end();
      ctx.count('joined');
    }
  },
});
