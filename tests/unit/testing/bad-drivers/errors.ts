/** Does not heed what `verify` says. */
import { defineDriver } from '@dmabuf-lab/core/driver';
import { invert, parameters, plan, ports } from './filter.js';

export default defineDriver({
  name: 'errors',
  parameters,
  ports,
  plan,
  *run(ctx) {
    const { in: source, out } = ctx.ports;
    const lane = ctx.lane();
    for (;;) {
      using frame = yield* source.take();
      if (frame === undefined) return;
      using target = yield* out.acquire(lane);
      target.describe(frame.sequence, frame.capturedNs);
      const accesses = [
        { frame, write: false },
        { frame: target, write: true },
      ];
      using job = yield* ctx.tryBegin(lane, accesses);
      if (job === undefined) continue;
      ctx.verify(job, frame);
      if (ctx.payload === 'pixels') invert(job.segments(frame), job.segments(target));
      ctx.seal(job, target);
      job.end();
      source.release(frame);
      yield* out.push(target);
    }
  },
});
