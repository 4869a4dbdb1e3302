/** A sink that is not the same in every execution: something outlives them that is no part of its module. */
import { defineDriver, input } from '@dmabuf-lab/core/driver';
import { z } from 'zod';

const world = globalThis as { executions?: number };
const FROM_NS = 60_000_000;

export default defineDriver({
  name: 'remembers-runs',
  parameters: z.strictObject({}),
  ports: { in: input() },
  plan: () => ({ outputs: {} }),
  *run(ctx) {
    const executions = (world.executions ?? 0) + 1;
    world.executions = executions;
    for (;;) {
      using frame = yield* ctx.ports.in.take();
      if (frame === undefined) return;
      const nowNs = ctx.now();
      if (executions % 2 === 0 && nowNs >= FROM_NS) yield* ctx.sleepUntil(nowNs + 1);
    }
  },
});
