/** A camera that breaks the rules of sharing, which the history checker has to find. */
import { defineDriver, frameFormat, output } from '@dmabuf-lab/core/driver';
import { z } from 'zod';

const WIDTH = 64;
const TICK_NS = 10_000_000;

export default defineDriver({
  name: 'breaking-camera',
  parameters: z.strictObject({
    breaks: z.enum(['nothing', 'publishes-no-fence', 'touches-late', 'never-ends']),
    /** How long it goes on drawing into what it has passed on, in ms. */
    draws: z.number().default(40),
  }),
  ports: { out: output() },
  plan: () => ({ outputs: { out: frameFormat('NV12', WIDTH, WIDTH, { num: 100, den: 1 }) }, problems: [] }),

  *run(ctx) {
    const { out } = ctx.ports;
    const { breaks, draws } = ctx.parameters;
    const lane = ctx.lane();
    for (let n = 0; out !== undefined && (yield* ctx.tick(n * TICK_NS)); n += 1) {
      const frame = yield* out.acquireForTick(lane);
      if (frame === undefined) continue;
      frame.describe(n, n * TICK_NS);
      const job = yield* ctx.begin(lane, [{ frame, write: true }], { publish: breaks !== 'publishes-no-fence' });
      ctx.seal(job, frame);
      if (breaks === 'publishes-no-fence') {
        yield* out.push(frame); // while it still draws, and nobody can know
        yield* ctx.sleepUntil(ctx.now() + draws * 1_000_000);
        job.end();
        continue;
      }
      if (breaks === 'never-ends') {
        frame.readyAfter(job);
        yield* out.push(frame);
        return;
      }
      job.end();
      if (breaks === 'touches-late') job.segments(frame);
      yield* out.push(frame);
    }
  },
});
