/**
 * An exporter: a neural accelerator that writes its results into a small memory of its own and exports them from there, with
 * `DmaBufOps` of its own. The memory has ports for so many devices; one more is refused at its attach (EBUSY), as a real
 * exporter may (amdgpu refuses a peer without a path). What cannot use the memory does not harm those who can.
 *
 * Run it: `npm run -s lab -- run examples/drivers/exporter.yaml --out out/exporter`.
 */
import { ErrnoError, firstTickAt, tickTime } from '@dmabuf-lab/core/base';
import { defineDriver, frameFormat, output, rateSchema } from '@dmabuf-lab/core/driver';
import { rgbaOf } from '@dmabuf-lab/drivers/pixels';
import { DriverHeap } from '@dmabuf-lab/heaps';
import { z } from 'zod';

const MIB = 2 ** 20;

export default defineDriver({
  name: 'accelerator',
  parameters: z.strictObject({
    memory: z.number().int().min(1).max(64).default(2).meta({ description: 'MiB of its own memory' }),
    users: z.number().int().min(1).default(2).meta({ description: 'devices that may use a buffer, itself among them' }),
    rate: rateSchema.default({ num: 30, den: 1 }).meta({ description: 'results a second' }),
  }),
  ports: { out: output() },

  // The heap lives in the exporter's actor, and outlives this driver.
  memory: {
    sizeBytes: ({ memory }) => memory * MIB,
    openHeap: (place, { users }) =>
      new DriverHeap(place, {
        ops: (base) => {
          const attached = new Map<object, number>();
          return {
            attach(storage, device) {
              const count = attached.get(storage) ?? 0;
              if (count >= users) {
                const why = `Cannot attach ${device.device} to ${place.heap}: it has ports for ${users} devices`;
                throw new ErrnoError('EBUSY', 'dma_buf_attach', why);
              }
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

  plan({ rate }) {
    return { outputs: { out: frameFormat('AB24', 160, 120, rate) } };
  },

  *run(ctx) {
    const { out } = ctx.ports;
    const lane = ctx.lane();
    // Whoever comes late, or again after a death, begins with the next tick.
    const first = firstTickAt(ctx.backPressured ? 0 : ctx.now(), ctx.parameters.rate);
    for (let sequence = 0; ; sequence += 1) {
      const tickNs = tickTime(first + sequence, ctx.parameters.rate);
      if (!(yield* ctx.tick(tickNs))) return;
      using frame = yield* out.acquireForTick(lane);
      if (frame === undefined) {
        ctx.dropped(sequence);
        continue;
      }
      frame.describe(sequence, ctx.backPressured ? ctx.now() : tickNs);
      using job = yield* ctx.tryBegin(lane, [{ frame, write: true }]);
      if (job === undefined) {
        ctx.dropped(sequence);
        continue;
      }
      if (ctx.payload === 'pixels') {
        const { pixels } = rgbaOf(frame, job.segments(frame));
        for (let y = 0; y < pixels.heightRows; y += 1) {
          pixels.beginRow(y, 'fill').fill((y + sequence) % 256); // a heat map that scrolls
          pixels.endRow(y);
        }
      }
      ctx.seal(job, frame);
      job.end();
      yield* out.push(frame);
    }
  },
});
