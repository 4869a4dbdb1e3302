/** Draws a byte of the picture before, by a library that takes plain arrays only: no guard can stand before its pages. */
import { defineDriver } from '@dmabuf-lab/core/driver';
import { filter, parameters, plan, ports } from './filter.js';

export default defineDriver({
  name: 'memory-unguarded',
  parameters,
  ports,
  plan,
  *run(ctx) {
    let before: Uint8Array | undefined;
    yield* filter(ctx, (from, to) => {
      const first = Buffer.concat(from)[0];
      to[0].fill(first);
      to[0][0] = before?.[5] ?? 0;
      before = from[0];
    });
  },
});
