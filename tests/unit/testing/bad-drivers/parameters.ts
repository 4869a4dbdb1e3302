/** `z.object` lets names pass that it does not know. */
import { defineDriver } from '@dmabuf-lab/core/driver';
import { z } from 'zod';
import { filter, plan, ports } from './filter.js';

const parameters = z.object({ service: z.number().default(0) });

export default defineDriver({
  name: 'parameters',
  parameters,
  ports,
  plan,
  *run(ctx) {
    yield* filter(ctx);
  },
});
