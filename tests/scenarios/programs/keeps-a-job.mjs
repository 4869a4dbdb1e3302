// An encoder that begins a job for its first frame, at the line that is marked, and never ends it.
import { builtInDrivers } from '../../../packages/drivers/dist/index.js';

export default {
  ...builtInDrivers.encoder.driver,
  setup: undefined,
  *run(ctx) {
    const source = ctx.ports.in;
    const lane = ctx.lane();
    for (let isFirst = true; ; isFirst = false) {
      const frame = yield* source.take();
      if (frame === undefined) return;
      const accesses = [{ frame, write: false }];
      const job = yield* ctx.begin(lane, accesses, { publish: false }); // begun
      if (!isFirst) job.end();
      source.release(frame, isFirst ? undefined : job);
    }
  },
};
