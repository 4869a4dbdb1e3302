/** Wants to have seen the stream from its first frame on. */
import { defineDriver } from '@dmabuf-lab/core/driver';
import { parameters, plan, ports } from './filter.js';

export default defineDriver({
  name: 'late-attach',
  parameters,
  ports,
  plan,
  *run(ctx) {
    const source = ctx.ports.in;
    let isFirst = true;
    for (let frame = yield* source.take(); frame !== undefined; frame = yield* source.take()) {
      if (isFirst && frame.sequence !== 0) throw new Error('the stream begins in the middle');
      isFirst = false;
      source.release(frame);
    }
  },
});
