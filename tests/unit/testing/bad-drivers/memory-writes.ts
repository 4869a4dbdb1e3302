/** Finishes a picture after its job has ended. */
import { defineDriver } from '@dmabuf-lab/core/driver';
import { filter, invert, parameters, plan, ports } from './filter.js';

export default defineDriver({
  name: 'memory-writes',
  parameters,
  ports,
  plan,
  *run(ctx) {
    let late: Uint8Array | undefined;
    yield* filter(ctx, (from, to) => {
      if (late !== undefined) late[0] = 1;
      invert(from, to);
      late = to[0];
    });
  },
});
