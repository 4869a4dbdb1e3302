/** Declares with `using` what take() gives, and forgets yield*. */
import { defineDriver } from '@dmabuf-lab/core/driver';
import { parameters, plan, ports } from './filter.js';

export default defineDriver({
  name: 'yield-star-using',
  parameters,
  ports,
  plan,
  *run(ctx) {
    const source = ctx.ports.in;
    for (;;) {
      using frame = source.take();
      if (frame === undefined) return;
    }
  },
});
