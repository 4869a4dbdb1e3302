/** A sink that never gives a frame back. */
import { defineDriver, input } from '@dmabuf-lab/core/driver';
import { z } from 'zod';

export default defineDriver({
  name: 'keeps-frames',
  parameters: z.strictObject({}),
  ports: { in: input() },
  plan: () => ({ outputs: {} }),
  *run(ctx) {
    const { in: source } = ctx.ports;
    for (let frame = yield* source.take(); frame !== undefined; frame = yield* source.take());
  },
});
