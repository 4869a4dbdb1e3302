/** Forgets to give back every third frame. */
import { defineDriver } from '@dmabuf-lab/core/driver';
import { parameters, plan, ports } from './filter.js';

export default defineDriver({
  name: 'frames',
  parameters,
  ports,
  plan,
  *run(ctx) {
    const source = ctx.ports.in;
    for (let frame = yield* source.take(); frame !== undefined; frame = yield* source.take()) {
      if (frame.sequence % 3 === 2) continue;
      source.drop(frame);
    }
  },
});
