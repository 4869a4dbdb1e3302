/**
 * A V4L2 camera: captures at the ticks of its sensor into buffers of its own pool, NV12.
 *
 * The picture is a moving test pattern with the frame number in it, or a clip. A tick without a free buffer loses the
 * frame and still consumes a sequence number. Source: the buffer handling of vivid_thread_vid_cap_tick, v6.12.
 */
import { firstTickAt, type Nanoseconds, NS_PER_SECOND, type Task, tickTime } from '@dmabuf-lab/core/base';
import {
  type DriverContext,
  defineDriver,
  frameFormat,
  output,
  rateSchema,
  serviceTimeSchema,
} from '@dmabuf-lab/core/driver';
import { z } from 'zod';
import { openPictureSource, type PictureSource, probePictureSource } from '../media/index.js';
import { copyNv12, drawTestPattern, type Nv12Image, nv12ImageOf, nv12Layout, nv12Of } from '../pixels/index.js';

const side = z.number().int().min(2).max(16_384).multipleOf(2);

const parameters = z.strictObject({
  width: side.default(640).meta({ description: 'pixels, even; a file sets its own' }),
  height: side.default(480).meta({ description: 'pixels, even; a file sets its own' }),
  rate: rateSchema.default({ num: 30, den: 1 }),
  arrivals: z
    .enum(['periodic', 'exponential'])
    .default('periodic')
    .meta({ description: 'ticks at the rate exactly, or with exponential gaps of that mean' }),
  readout: serviceTimeSchema.default({ kind: 'fixed', fixedNs: 0 }).meta({
    description: 'time from the tick until the picture is complete in memory',
  }),
  file: z.string().optional().meta({ description: 'a clip to show instead of the test pattern: .y4m, .mp4 or .webm' }),
  frames: z.number().int().positive().optional().meta({ description: 'stop after so many ticks' }),
  play: z.enum(['loop', 'once']).default('loop').meta({ description: 'at the end of the clip: start over, or stop' }),
});
type Parameters = z.output<typeof parameters>;

const ports = { out: output() };
type Context = DriverContext<Parameters, typeof ports>;

export default defineDriver({
  name: 'camera',
  parameters,
  ports,

  async prepare(given) {
    if (given.file === undefined) return given;
    const { widthPixels, heightPixels, frameCount } = await probePictureSource(given.file);
    const frames = given.play === 'once' ? Math.min(given.frames ?? frameCount, frameCount) : given.frames;
    return { ...given, width: widthPixels, height: heightPixels, frames };
  },

  plan({ width, height, rate }) {
    return { outputs: { out: frameFormat('NV12', width, height, rate) } };
  },

  *setup(ctx): Task<PictureSource | undefined> {
    const { file } = ctx.parameters;
    if (file === undefined || ctx.payload !== 'pixels') return undefined;
    return yield* ctx.external(openPictureSource(file), `opening ${file}`);
  },

  *run(ctx, source) {
    const { out } = ctx.ports;
    const lane = ctx.lane();
    const random = ctx.random('readout');
    const ticks = tickTimes(ctx);
    const last = ctx.parameters.frames ?? Number.POSITIVE_INFINITY;
    let busyUntilNs: Nanoseconds = -1;
    for (let sequence = 0; sequence < last; sequence += 1) {
      const tickNs = ticks.next();
      if (!(yield* ctx.tick(tickNs))) return;
      ctx.count('ticks');
      using frame = tickNs < busyUntilNs ? undefined : yield* out.acquireForTick(lane);
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
      if (ctx.payload === 'pixels') draw(nv12Of(frame, job.segments(frame)), sequence, source);
      ctx.seal(job, frame);
      yield* ctx.serve(job, ctx.parameters.readout, random);
      // A sensor that waited for its storage, or still reads out, misses the ticks that came meanwhile.
      const readoutNs = job.stalledNs + (ctx.parameters.readout.kind === 'fixed' ? ctx.parameters.readout.fixedNs : 1);
      if (readoutNs > 0 && !ctx.backPressured) busyUntilNs = ctx.now();
      job.end();
      ctx.sequence('captured', sequence);
      yield* out.push(frame);
    }
  },
});

/** The instants of a sensor's ticks. */
function tickTimes(ctx: Context): { next(): Nanoseconds } {
  const { rate, arrivals } = ctx.parameters;
  // A camera that attaches late begins with the next tick of its sensor.
  const startNs = ctx.backPressured ? 0 : ctx.now();
  let n = firstTickAt(startNs, rate) - 1;
  if (arrivals === 'periodic') {
    return {
      next: () => {
        n += 1;
        return tickTime(n, rate);
      },
    };
  }
  const random = ctx.random('arrivals');
  const meanNs = (NS_PER_SECOND * rate.den) / rate.num;
  let timeNs = startNs;
  return {
    next: () => {
      timeNs += Math.round(random.exponential(meanNs));
      return timeNs;
    },
  };
}

function draw(image: Nv12Image, sequence: number, source: PictureSource | undefined): void {
  if (source === undefined) {
    drawTestPattern(image, sequence);
    return;
  }
  const picture = source.picture(sequence % source.frameCount);
  copyNv12(nv12ImageOf([picture], nv12Layout(source.widthPixels, source.heightPixels)), image);
}
