/** Trips over its third frame. */
import { defineDriver } from '@dmabuf-lab/core/driver';
import { filter, invert, parameters, plan, ports } from './filter.js';

export default defineDriver({
  name: 'run',
  parameters,
  ports,
  plan,
  *run(ctx) {
    let frames = 0;
    yield* filter(ctx, (from, to) => {
      frames += 1;
      if (frames === 3) throw new RangeError('no third frame was planned');
      invert(from, to);
    });
  },
});
