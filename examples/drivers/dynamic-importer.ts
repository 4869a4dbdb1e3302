/**
 * A dynamic importer: a device with a page table of its own that keeps what it has mapped between its jobs, and so keeps no buffer
 * from moving. When one moves, moveNotify tells the driver that its entries are void, and the next job walks the table anew.
 *
 * It reads frames and passes them on. Run it: `npm run -s lab -- run examples/drivers/dynamic-importer.yaml`.
 */
import { defineDriver, input, output } from '@dmabuf-lab/core/driver';
import { z } from 'zod';

/** Of model time, to fill one entry of the page table. */
const ENTRY_NS = 200;

export default defineDriver({
  name: 'dynamic-importer',
  parameters: z.strictObject({}),
  ports: { in: input(), out: output() },
  importer: 'dynamic',

  plan(_parameters, { in: format }) {
    return { outputs: { out: format }, forwards: { out: 'in' } };
  },

  // The page table: segments by buffer. The device begins each stay with an empty one.
  *setup() {
    return new Map<number, number>();
  },

  // Like move_notify of struct dma_buf_attach_ops: what the device knows of the buffer's addresses is void.
  moveNotify(ctx, bufferNumber, entries) {
    if (entries.delete(bufferNumber)) ctx.count('invalidated');
  },

  *run(ctx, entries) {
    const { in: source, out } = ctx.ports;
    const lane = ctx.lane();
    for (const counter of ['tableWalks', 'tableHits', 'invalidated']) ctx.count(counter, 0);
    for (;;) {
      using frame = yield* source.take();
      if (frame === undefined) return;
      using job = yield* ctx.tryBegin(lane, [{ frame, write: false }]);
      if (job === undefined) continue;
      const { segments } = job.transfer;
      if (entries.has(frame.bufferNumber)) ctx.count('tableHits');
      else {
        entries.set(frame.bufferNumber, segments);
        ctx.count('tableWalks');
        yield* ctx.sleepUntil(ctx.now() + segments * ENTRY_NS);
      }
      const isGood = ctx.verify(job, frame);
      job.end(isGood ? undefined : 'EIO');
      source.handOver(frame);
      yield* out.push(frame);
    }
  },
});
