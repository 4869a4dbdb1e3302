/** Keeps the number of the picture in the module, where two devices share it. */
import { defineDriver } from '@dmabuf-lab/core/driver';
import { filter, parameters, plan, ports } from './filter.js';

let pictures = 0;

export default defineDriver({
  name: 'instances',
  parameters,
  ports,
  plan,
  *run(ctx) {
    pictures = 0;
    yield* filter(ctx, (_from, to) => {
      pictures += 1;
      to[0].fill(pictures);
    });
  },
});
