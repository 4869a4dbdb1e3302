/** Breaks no rule: it exports from memory of its own, and lets two devices in at once. */
import { ErrnoError } from '@dmabuf-lab/core/base';
import { defineDriver } from '@dmabuf-lab/core/driver';
import { DriverHeap } from '@dmabuf-lab/heaps';
import { filter, parameters, plan, ports } from './filter.js';

export default defineDriver({
  name: 'good-exporter',
  parameters,
  ports,
  plan,
  memory: {
    sizeBytes: () => 1 << 20,
    openHeap: (place) =>
      new DriverHeap(place, {
        ops(base) {
          const attached = new Map<object, number>();
          return {
            attach(storage, device) {
              const count = attached.get(storage) ?? 0;
              if (count === 2) throw new ErrnoError('EBUSY', 'dma_buf_attach', `${device.device} is one too many`);
              base.attach?.(storage, device);
              attached.set(storage, count + 1);
            },
            detach(storage, device) {
              base.detach?.(storage, device);
              attached.set(storage, (attached.get(storage) ?? 1) - 1);
            },
          };
        },
      }),
  },
  *run(ctx) {
    yield* filter(ctx);
  },
});
