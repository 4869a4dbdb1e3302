/** Gives back what it has when all goes well, and forgets it when there is no buffer to draw into. */
import { defineDriver } from '@dmabuf-lab/core/driver';
import { parameters, plan, ports } from './filter.js';

export default defineDriver({
  name: 'enomem-acquire',
  parameters,
  ports,
  plan,
  *run(ctx) {
    const { in: source, out } = ctx.ports;
    const lane = ctx.lane();
    for (let frame = yield* source.take(); frame !== undefined; frame = yield* source.take()) {
      const target = yield* out.acquire(lane);
      out.cancel(target);
      source.release(frame);
    }
  },
});
