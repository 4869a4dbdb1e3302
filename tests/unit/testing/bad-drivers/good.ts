/** Breaks no rule. */
import { defineDriver } from '@dmabuf-lab/core/driver';
import { filter, parameters, plan, ports } from './filter.js';

export default defineDriver({
  name: 'good',
  parameters,
  ports,
  plan,
  *run(ctx) {
    yield* filter(ctx);
  },
});
