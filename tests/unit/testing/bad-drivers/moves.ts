/** Keeps its first picture mapped, as a background, until the end. */
import { defineDriver, type Frame, type Job } from '@dmabuf-lab/core/driver';
import { parameters, plan, ports } from './filter.js';

export default defineDriver({
  name: 'moves',
  parameters,
  ports,
  plan,
  *run(ctx) {
    const source = ctx.ports.in;
    const lane = ctx.lane();
    let background: { readonly frame: Frame; readonly job: Job } | undefined;
    for (let frame = yield* source.take(); frame !== undefined; frame = yield* source.take()) {
      const job =
        background === undefined ? yield* ctx.tryBegin(lane, [{ frame, write: false }], { publish: false }) : undefined;
      if (job === undefined) source.release(frame);
      else background = { frame, job };
    }
    background?.job.end();
    if (background !== undefined) source.release(background.frame);
  },
});
