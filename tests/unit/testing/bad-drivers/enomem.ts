/** Gives up altogether when memory is short once. */
import { defineDriver } from '@dmabuf-lab/core/driver';
import { parameters, plan, ports } from './filter.js';

export default defineDriver({
  name: 'enomem',
  parameters,
  ports,
  plan,
  *run(ctx) {
    const source = ctx.ports.in;
    const lane = ctx.lane();
    for (;;) {
      using frame = yield* source.take();
      if (frame === undefined) return;
      using job = yield* ctx.begin(lane, [{ frame, write: false }]);
      ctx.verify(job, frame);
      job.end();
      source.release(frame);
    }
  },
});
