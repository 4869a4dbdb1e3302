/** Compares each picture with the pages of the one before, which are no longer its own. */
import { defineDriver } from '@dmabuf-lab/core/driver';
import { filter, invert, parameters, plan, ports } from './filter.js';

export default defineDriver({
  name: 'memory',
  parameters,
  ports,
  plan,
  *run(ctx) {
    let before: readonly Uint8Array[] | undefined;
    yield* filter(ctx, (from, to) => {
      invert(from, to);
      if (before !== undefined && before[0][0] !== from[0][0]) ctx.count('changed');
      before = from;
    });
  },
});
