/** Has enough after three frames. */
import { defineDriver } from '@dmabuf-lab/core/driver';
import { parameters, plan, ports } from './filter.js';

export default defineDriver({
  name: 'end-too-early',
  parameters,
  ports,
  plan,
  *run(ctx) {
    const source = ctx.ports.in;
    for (let i = 0; i < 3; i += 1) {
      using frame = yield* source.take();
      if (frame === undefined) return;
    }
  },
});
