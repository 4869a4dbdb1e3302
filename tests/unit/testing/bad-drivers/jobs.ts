/** Leaves the job of its last frame open. */
import { defineDriver, type Job } from '@dmabuf-lab/core/driver';
import { parameters, plan, ports } from './filter.js';

export default defineDriver({
  name: 'jobs',
  parameters,
  ports,
  plan,
  *run(ctx) {
    const source = ctx.ports.in;
    const lane = ctx.lane();
    let open: Job | undefined;
    for (let frame = yield* source.take(); frame !== undefined; frame = yield* source.take()) {
      open?.end();
      open = yield* ctx.tryBegin(lane, [{ frame, write: false }], { publish: false });
      source.release(frame, open);
    }
  },
});
