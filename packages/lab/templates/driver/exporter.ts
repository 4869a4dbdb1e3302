/** DRIVER_TITLE: draws RGBA frames in memory of its own, and exports them from there. */
import { ErrnoError, firstTickAt, tickTime } from '@dmabuf-lab/core/base';
import { defineDriver, frameFormat, output, rateSchema } from '@dmabuf-lab/core/driver';
import { rgbaOf } from '@dmabuf-lab/drivers/pixels';
import { DriverHeap } from '@dmabuf-lab/heaps';
import { z } from 'zod';

const MiB = 2 ** 20;

export default defineDriver({
  name: 'DRIVER_NAME',

  // What a scenario may say of it. A wrong value is refused before the run, with the line of the file.
  parameters: z.strictObject({
    memory: z.number().int().min(1).max(64).default(4).meta({ description: 'MiB of its own memory' }),
    users: z.number().int().min(1).default(2).meta({ description: 'devices that may use a buffer at once' }),
    rate: rateSchema.default({ num: 30, den: 1 }).meta({ description: 'frames a second' }),
  }),

  ports: { out: output() },

  // Memory of its own: what it exports lies here, unless the scenario says otherwise. The heap belongs to the exporter.
  memory: {
    sizeBytes: ({ memory }) => memory * MiB,
    openHeap: (place, { users }) =>
      new DriverHeap(place, {
        // Its own struct dma_buf_ops: the ops that are not here are those of plain pages.
        ops: (base) => {
          const attached = new Map();
          return {
            attach(storage, device) {
              const count = attached.get(storage) ?? 0;
              if (count >= users) {
                const why = `Cannot attach ${device.device}: ${place.device} has ports for ${users} devices`;
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
    return { outputs: { out: frameFormat('AB24', 320, 240, rate) } };
  },

  // The driver itself. Whatever may wait is yield*-ed; nothing else waits.
  *run(ctx) {
    const { out } = ctx.ports;
    const lane = ctx.lane();
    // Whoever comes late, or again after a death, begins with the next tick.
    const first = firstTickAt(ctx.backPressured ? 0 : ctx.now(), ctx.parameters.rate);
    for (let sequence = 0; ; sequence += 1) {
      const tickNs = tickTime(first + sequence, ctx.parameters.rate);
      if (!(yield* ctx.tick(tickNs))) return; // the run ends
      // At the end of the scope a frame that is still here goes back, and a job that has not ended fails.
      using frame = yield* out.acquireForTick(lane);
      if (frame === undefined) {
        ctx.dropped(sequence); // no buffer is free at the tick: the frame is lost, and its number with it
        continue;
      }
      frame.describe(sequence, ctx.backPressured ? ctx.now() : tickNs);
      using job = yield* ctx.tryBegin(lane, [{ frame, write: true }]);
      if (job === undefined) {
        ctx.dropped(sequence); // no storage for it just now
        continue;
      }
      if (ctx.payload === 'pixels') {
        const { pixels } = rgbaOf(frame, job.segments(frame));
        for (let y = 0; y < pixels.heightRows; y += 1) {
          pixels.beginRow(y, 'fill').fill((y + sequence) % 256);
          pixels.endRow(y);
        }
      }
      ctx.seal(job, frame);
      job.end();
      yield* out.push(frame);
    }
  },
});
