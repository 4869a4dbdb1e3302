/** Numbers its pictures from run to run. */
import { defineDriver } from '@dmabuf-lab/core/driver';
import { filter, parameters, plan, ports } from './filter.js';

let pictures = 0;

export default defineDriver({
  name: 'determinism',
  parameters,
  ports,
  plan,
  *run(ctx) {
    yield* filter(ctx, (_from, to) => {
      pictures += 1;
      to[0].fill(pictures & 0xff);
    });
  },
});
