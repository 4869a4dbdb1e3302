/** Asks the machine for the time, and rolls its own dice. */
import { defineDriver } from '@dmabuf-lab/core/driver';
import { filter, invert, parameters, plan, ports } from './filter.js';

export default defineDriver({
  name: 'ports-only',
  parameters,
  ports,
  plan,
  *run(ctx) {
    const startedMs = Date.now();
    const isLucky = Math.random() >= 0;
    yield* ctx.external(new Promise((resolve) => setTimeout(resolve, 1)), 'a firmware');
    yield* filter(ctx, (from, to) => {
      if (isLucky && startedMs > 0) invert(from, to);
    });
  },
});
