/** Waits for a frame by yield in place of yield*. */
import { defineDriver, type Frame } from '@dmabuf-lab/core/driver';
import { parameters, plan, ports } from './filter.js';

export default defineDriver({
  name: 'yield-star-yield',
  parameters,
  ports,
  plan,
  // @ts-expect-error: a driver in JavaScript is not told
  *run(ctx) {
    const source = ctx.ports.in;
    for (;;) {
      const frame = (yield source.take()) as Frame | undefined;
      if (frame === undefined) return;
      source.release(frame);
    }
  },
});
