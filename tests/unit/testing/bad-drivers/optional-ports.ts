/** Counts on an output that it has declared optional. */
import { defineDriver, input, type OutputPort, output } from '@dmabuf-lab/core/driver';
import { filter, parameters, plan } from './filter.js';

const ports = { in: input(), out: output({ isOptional: true }) };

export default defineDriver({
  name: 'optional-ports',
  parameters,
  ports,
  plan,
  *run(ctx) {
    const { format } = ctx.ports.out as OutputPort;
    ctx.count('bytes', format.sizeBytes);
    yield* filter(ctx as never);
  },
});
