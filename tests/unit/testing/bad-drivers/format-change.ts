/** Keeps a buffer for the rows of its first picture in the module, and takes it for as long as those of every later stay. */
import { defineDriver } from '@dmabuf-lab/core/driver';
import { filter, joined, parameters, plan, ports } from './filter.js';

let rows: Uint8Array | undefined;

export default defineDriver({
  name: 'format-change',
  parameters,
  ports,
  plan,
  *run(ctx) {
    yield* filter(ctx, (from, to) => {
      const bytes = joined(from);
      rows ??= new Uint8Array(bytes.length);
      rows.set(bytes);
      let at = 0;
      for (const run of to) {
        run.set(rows.subarray(at, at + run.length));
        at += run.length;
      }
    });
  },
});
