/** Draws into the picture that it only reads. */
import { defineDriver } from '@dmabuf-lab/core/driver';
import { filter, invert, parameters, plan, ports } from './filter.js';

export default defineDriver({
  name: 'read-only',
  parameters,
  ports,
  plan,
  *run(ctx) {
    yield* filter(ctx, (from, to) => {
      from[0].fill(128, 0, 16);
      invert(from, to);
    });
  },
});
