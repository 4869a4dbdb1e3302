/** Models its work by ctx.serve, and forgets yield*: no time passes. */
import { defineDriver } from '@dmabuf-lab/core/driver';
import { invert, parameters, plan, ports } from './filter.js';

export default defineDriver({
  name: 'yield-star-serve',
  parameters,
  ports,
  plan,
  *run(ctx) {
    const { in: source, out } = ctx.ports;
    const lane = ctx.lane();
    const random = ctx.random('work');
    for (;;) {
      using frame = yield* source.take();
      if (frame === undefined) return;
      using target = yield* out.acquire(lane);
      target.describe(frame.sequence, frame.capturedNs);
      using job = yield* ctx.tryBegin(lane, [
        { frame, write: false },
        { frame: target, write: true },
      ]);
      if (job === undefined) continue;
      const good = ctx.verify(job, frame);
      if (ctx.payload === 'pixels') invert(job.segments(frame), job.segments(target));
      ctx.seal(job, target);
      ctx.serve(job, { kind: 'fixed', fixedNs: 2_000_000 }, random);
      job.end(good ? undefined : 'EIO');
      source.release(frame);
      yield* out.push(target);
    }
  },
});
