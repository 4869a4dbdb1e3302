/** Counts in `plan` how often it is asked, and answers accordingly. */
import { defineDriver } from '@dmabuf-lab/core/driver';
import { filter, parameters, ports } from './filter.js';

let asked = 0;

export default defineDriver({
  name: 'plan',
  parameters,
  ports,
  plan(_parameters, { in: format }) {
    asked += 1;
    return { outputs: { out: { ...format, sizeBytes: format.sizeBytes + (asked % 2) } } };
  },
  *run(ctx) {
    yield* filter(ctx);
  },
});
