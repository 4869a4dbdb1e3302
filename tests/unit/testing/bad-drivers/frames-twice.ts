/** Releases a frame, and then looks at it and releases it again. */
import { defineDriver } from '@dmabuf-lab/core/driver';
import { parameters, plan, ports } from './filter.js';

export default defineDriver({
  name: 'frames-twice',
  parameters,
  ports,
  plan,
  *run(ctx) {
    const source = ctx.ports.in;
    for (let frame = yield* source.take(); frame !== undefined; frame = yield* source.take()) {
      source.release(frame);
      ctx.sequence('seen', frame.sequence);
      source.release(frame);
    }
  },
});
