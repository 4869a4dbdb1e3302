/** What the rig puts before each input: a source that can be slow, early, faulty or short. */

import { z } from 'zod';
import { tickTime } from '../base/index.js';
import { defineDriver, type FrameFormat, output } from '../driver/index.js';

const parameters = z.object({
  format: z.custom<FrameFormat>(),
  /** Ends after so many ticks. */
  frames: z.number().int(),
  /** The first of its ticks. */
  fromTick: z.number().int().default(0),
  /** `all`: every frame ends with an error. */
  failing: z.enum(['none', 'all']).default('none'),
  /** A frame is handed on so long before it is complete. */
  lateByNs: z.number().default(0),
});

export type TestSourceParameters = z.input<typeof parameters>;

const ports = { out: output() };

export const testSource = defineDriver({
  name: 'test-source',
  parameters,
  ports,

  plan: ({ format }) => ({ outputs: { out: format } }),

  *run(ctx) {
    const { out } = ctx.ports;
    const { format, frames, fromTick, failing, lateByNs } = ctx.parameters;
    const lane = ctx.lane();
    const error = failing === 'all' ? 'EIO' : undefined;
    for (let tick = fromTick, sequence = 0; sequence < frames; tick += 1, sequence += 1) {
      const tickNs = tickTime(tick, format.rate);
      if (!(yield* ctx.tick(tickNs))) return;
      const frame = yield* out.acquireForTick(lane);
      if (frame === undefined) {
        ctx.dropped(sequence);
        continue;
      }
      frame.describe(sequence, tickNs);
      yield* out.room();
      const job = yield* ctx.tryBegin(lane, [{ frame, write: true }]);
      if (job === undefined) {
        out.cancel(frame);
        continue;
      }
      if (lateByNs > 0) {
        frame.readyAfter(job);
        yield* out.push(frame);
      }
      if (ctx.payload === 'pixels') for (const run of job.segments(frame)) draw(run, sequence);
      ctx.seal(job, frame);
      if (lateByNs > 0) yield* ctx.sleepUntil(ctx.now() + lateByNs);
      else if (error !== undefined) frame.readyAfter(job);
      job.end(error);
      if (lateByNs === 0) yield* out.push(frame);
    }
  },
});

/** Different in each frame, and not the same all over it. */
function draw(run: Uint8Array, sequence: number): void {
  for (let at = 0; at < run.length; at += 1) run[at] = (at + sequence * 37) & 0xff;
}
