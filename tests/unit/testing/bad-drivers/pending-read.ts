/** Asks whether a frame is good before anybody can know. */
import { defineDriver } from '@dmabuf-lab/core/driver';
import { parameters, plan, ports } from './filter.js';

export default defineDriver({
  name: 'pending-read',
  parameters,
  ports,
  plan,
  *run(ctx) {
    const source = ctx.ports.in;
    for (let frame = yield* source.take(); frame !== undefined; frame = yield* source.take()) {
      if (frame.error !== 0) ctx.count('bad');
      source.release(frame);
    }
  },
});
