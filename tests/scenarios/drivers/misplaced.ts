/** A driver that gives frames back at the wrong port, then at the right one. */
import { defineDriver, type Frame, frameFormat, input, output } from '@dmabuf-lab/core/driver';
import { builtInDrivers } from '@dmabuf-lab/drivers';

export default defineDriver({
  name: 'misplaced',
  parameters: builtInDrivers.gpu.driver.parameters,
  ports: { a: input(), b: input(), out: output() },
  plan: (_, { a }) => ({
    outputs: { out: a && frameFormat('AB24', a.widthPixels, a.heightPixels, a.rate) },
    problems: [],
  }),
  *run(ctx) {
    const { a, b, out } = ctx.ports;
    const lane = ctx.lane();
    const refused = (act: () => void): void => {
      try {
        act();
      } catch (error) {
        ctx.count(`refused${(error as { code?: string }).code}`);
      }
    };
    for (;;) {
      // The same buffer of the camera, twice: once from each input.
      using first: Frame | undefined = a && (yield* a.take());
      using second: Frame | undefined = b && (yield* b.take());
      if (a === undefined || b === undefined || out === undefined || first === undefined || second === undefined)
        return;
      using drawn = yield* out.acquire(lane);
      drawn.describe(first.sequence, first.capturedNs);
      refused(() => b.release(first));
      refused(() => a.drop(second));
      refused(() => a.handOver(drawn));
      refused(() => out.cancel(first));
      try {
        yield* out.push(second);
      } catch (error) {
        ctx.count(`refused${(error as { code?: string }).code}`);
      }
      a.release(first);
      b.release(second);
      yield* out.push(drawn);
      refused(() => a.release(first));
      ctx.count('rounds');
    }
  },
});
