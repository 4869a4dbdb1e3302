/** Breaks no rule, and has a parameter without a default. */
import { defineDriver } from '@dmabuf-lab/core/driver';
import { z } from 'zod';
import { filter, parameters, plan, ports } from './filter.js';

export default defineDriver({
  name: 'needy',
  parameters: parameters.extend({ amount: z.number() }),
  ports,
  plan,
  *run(ctx) {
    yield* filter(ctx);
  },
});
