/** Meets with a shortage of buffers by an error of its own making. */
import { defineDriver, type Frame } from '@dmabuf-lab/core/driver';
import { parameters, plan, ports } from './filter.js';

export default defineDriver({
  name: 'enomem-masked',
  parameters,
  ports,
  plan,
  *run(ctx) {
    const { in: source, out } = ctx.ports;
    const lane = ctx.lane();
    for (;;) {
      using frame = yield* source.take();
      if (frame === undefined) return;
      let target: Frame | undefined;
      try {
        target = yield* out.acquire(lane);
      } catch {
        throw new Error('no target');
      }
      out.cancel(target);
      source.release(frame);
    }
  },
});
