/** Lets a promise use its context. */
import { defineDriver } from '@dmabuf-lab/core/driver';
import { filter, parameters, plan, ports } from './filter.js';

export default defineDriver({
  name: 'turn',
  parameters,
  ports,
  plan,
  *run(ctx) {
    const loading = Promise.resolve().then(() => ctx.count('loaded'));
    yield* ctx.external(
      loading.catch(() => {}),
      'a table',
    );
    yield* filter(ctx);
  },
});
