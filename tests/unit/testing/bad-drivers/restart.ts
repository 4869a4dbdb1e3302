/** Locks its hardware, and unlocks it in a `finally` that a killed driver never comes to. */
import { defineDriver } from '@dmabuf-lab/core/driver';
import { filter, parameters, plan, ports } from './filter.js';

/** As a lock file would outlive the process. */
const locks = new Set<string>();

export default defineDriver({
  name: 'restart',
  parameters,
  ports,
  plan,
  *run(ctx) {
    if (locks.delete(ctx.device)) throw new Error('the hardware is locked');
    locks.add(ctx.device);
    try {
      yield* filter(ctx);
    } finally {
      locks.delete(ctx.device);
    }
  },
});
