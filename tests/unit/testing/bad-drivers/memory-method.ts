/** Keeps a method of a view, which is no touch yet, and calls it when the job is over. */
import { defineDriver } from '@dmabuf-lab/core/driver';
import { filter, invert, parameters, plan, ports } from './filter.js';

export default defineDriver({
  name: 'memory-method',
  parameters,
  ports,
  plan,
  *run(ctx) {
    let sumBefore: (() => number) | undefined;
    yield* filter(ctx, (from, to) => {
      if (sumBefore !== undefined && sumBefore() < 0) ctx.count('negative');
      invert(from, to);
      const { at } = from[0];
      sumBefore = () => at.call(from[0], 0) ?? 0;
    });
  },
});
