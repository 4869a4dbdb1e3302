/** A sink that is not the same in every other execution: something outlives them that is no part of its module. */
import { defineDriver, input } from '@dmabuf-lab/core/driver';
import { z } from 'zod';

const world = globalThis as { executions?: number };
const FROM_NS = 60_000_000;

export default defineDriver({
  name: 'remembers-runs',
  parameters: z.strictObject({
    /** What is not the same: when it sleeps, what it counts, or the error that it ends with. */
    differs: z.enum(['nothing', 'events', 'counter', 'error']).default('events'),
    fails: z.boolean().default(false),
  }),
  ports: { in: input() },
  plan: () => ({ outputs: {} }),
  *run(ctx) {
    const executions = (world.executions ?? 0) + 1;
    world.executions = executions;
    const { differs, fails } = ctx.parameters;
    const differsNow = (what: typeof differs): boolean => differs === what && executions % 2 === 0;
    for (;;) {
      using frame = yield* ctx.ports.in.take();
      if (frame === undefined) return;
      const nowNs = ctx.now();
      if (nowNs < FROM_NS) continue;
      if (differsNow('events')) yield* ctx.sleepUntil(nowNs + 1);
      ctx.count('frames', differsNow('counter') ? 2 : 1);
      if (fails) throw new Error(differsNow('error') ? 'failed in another way' : 'failed');
    }
  },
});
