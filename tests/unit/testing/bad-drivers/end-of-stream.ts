/** Polls its input and never asks whether it has ended. */
import { defineDriver } from '@dmabuf-lab/core/driver';
import { parameters, plan, ports } from './filter.js';

export default defineDriver({
  name: 'end-of-stream',
  parameters,
  ports,
  plan,
  *run(ctx) {
    const source = ctx.ports.in;
    for (;;) {
      const frame = source.tryTakeReady();
      if (frame === undefined) yield* ctx.sleepUntil(ctx.now() + 10_000_000);
      else source.release(frame);
    }
  },
});
