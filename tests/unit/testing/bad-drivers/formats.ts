/** Takes every picture for one of 64x48. */
import { defineDriver } from '@dmabuf-lab/core/driver';
import { filter, invert, joined, parameters, plan, ports } from './filter.js';

const BYTES = 64 * 48;

export default defineDriver({
  name: 'formats',
  parameters,
  ports,
  plan,
  *run(ctx) {
    yield* filter(ctx, (from, to) => {
      const picture = new Uint8Array(BYTES + BYTES / 2);
      picture.set(joined(from).subarray(0, ctx.ports.in.format.sizeBytes));
      invert(from, to);
    });
  },
});
