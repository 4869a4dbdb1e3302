/** Throws where it ought to refuse. */
import { defineDriver } from '@dmabuf-lab/core/driver';
import { filter, parameters, ports } from './filter.js';

export default defineDriver({
  name: 'plan-throws',
  parameters,
  ports,
  plan(_parameters, { in: format }) {
    if (format.fourcc === 'H264') throw new Error('bitstream');
    return { outputs: { out: format } };
  },
  *run(ctx) {
    yield* filter(ctx);
  },
});
