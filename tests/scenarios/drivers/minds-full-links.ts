/** A driver that passes frames on, and counts those that a full link has refused. */
import { isErrno } from '@dmabuf-lab/core/base';
import { defineDriver, input, output } from '@dmabuf-lab/core/driver';
import { z } from 'zod';

export default defineDriver({
  name: 'minds-full-links',
  parameters: z.strictObject({}),
  ports: { in: input(), out: output() },
  plan: (_, { in: format }) => ({ outputs: { out: format }, forwards: { out: 'in' } }),
  *run(ctx) {
    const { in: source, out } = ctx.ports;
    for (;;) {
      const frame = yield* source.take();
      if (frame === undefined) return;
      source.handOver(frame);
      try {
        yield* out.push(frame);
      } catch (error) {
        if (!isErrno(error, 'ENOBUFS')) throw error;
        ctx.count('refusedENOBUFS');
      }
    }
  },
});
