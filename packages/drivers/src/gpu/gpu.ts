/**
 * A GPU: converts NV12 to RGBA and composes an overlay on top, or, in place, draws a number into the frame it was given.
 *
 * It hands its output on when a job is submitted, with the job's fence: who shows it waits for the fence. It serves one
 * frame at a time or k, each by a generator with a timeline of its own.
 */
import type { RandomStream, Task } from '@dmabuf-lab/core/base';
import {
  type DriverContext,
  defineDriver,
  type Frame,
  frameFormat,
  type InputPort,
  input,
  type Lane,
  type OutputPort,
  output,
  serviceTimeSchema,
} from '@dmabuf-lab/core/driver';
import { z } from 'zod';
import { composeOverlay, convertNv12ToRgba, defaultOverlay, drawNumberNv12, nv12Of, rgbaOf } from '../pixels/index.js';

const parameters = z.strictObject({
  service: serviceTimeSchema.default({ kind: 'fixed', fixedNs: 4_000_000 }).meta({ description: 'time of one job' }),
  servers: z.number().int().min(1).max(8).default(1).meta({ description: 'frames it works on at once' }),
  mode: z
    .enum(['render', 'in-place'])
    .default('render')
    .meta({ description: 'render NV12 into RGBA buffers of its own pool, or draw into the frame and pass it on' }),
  label: z.string().max(24).default('dmabuf-lab').meta({ description: 'text of the overlay' }),
});
type Parameters = z.output<typeof parameters>;

const ports = { in: input({ formats: ['NV12'] }), out: output() };
type Context = DriverContext<Parameters, typeof ports>;

export default defineDriver({
  name: 'gpu',
  parameters,
  ports,

  plan({ mode }, { in: format }) {
    if (mode === 'in-place') return { outputs: { out: format }, forwards: { out: 'in' } };
    return { outputs: { out: frameFormat('AB24', format.widthPixels, format.heightPixels, format.rate) } };
  },

  *run(ctx) {
    const { in: source, out } = ctx.ports;
    const random = ctx.random('service');
    const serve = ctx.parameters.mode === 'render' ? render : drawInPlace;
    const lanes: Task<void>[] = [];
    for (let i = 0; i < ctx.parameters.servers; i += 1) lanes.push(serve(ctx, source, out, ctx.lane(), random));
    if (lanes.length === 1) yield* lanes[0];
    else yield* ctx.parallel(lanes);
  },
});

/** Takes frames and renders each into a buffer of the GPU's own. */
function* render(ctx: Context, source: InputPort, out: OutputPort, lane: Lane, random: RandomStream): Task<void> {
  for (;;) {
    using frame = yield* source.take();
    if (frame === undefined) return;
    using target = yield* out.acquire(lane);
    yield* renderFrame(ctx, source, out, lane, random, frame, target);
  }
}

/** Renders one frame into another. Without storage for them both stay as they are: whoever has them gives them back. */

function* renderFrame(
  ctx: Context,
  source: InputPort,
  out: OutputPort,
  lane: Lane,
  random: RandomStream,
  frame: Frame,
  target: Frame,
): Task<void> {
  target.describe(frame.sequence, frame.capturedNs);
  yield* out.room(); // before a fence is owed: nothing may wait between publishing it and signalling it
  using job = yield* ctx.tryBegin(lane, [
    { frame, write: false },
    { frame: target, write: true },
  ]);
  if (job === undefined) return;
  target.readyAfter(job);
  yield* out.push(target);
  const good = ctx.verify(job, frame);
  if (ctx.payload === 'pixels') {
    const image = rgbaOf(target, job.segments(target));
    convertNv12ToRgba(nv12Of(frame, job.segments(frame)), image);
    const { widthPixels, heightPixels } = image;
    composeOverlay(image, defaultOverlay(widthPixels, heightPixels, ctx.parameters.label, frame.sequence));
  }
  ctx.seal(job, target);
  yield* ctx.serve(job, ctx.parameters.service, random);
  job.end(good ? undefined : 'EIO');
  source.release(frame, job);
}

/** Takes frames, draws into each and passes it on: no buffer of the GPU's own. */
function* drawInPlace(ctx: Context, source: InputPort, out: OutputPort, lane: Lane, random: RandomStream): Task<void> {
  for (;;) {
    using frame = yield* source.take();
    if (frame === undefined) return;
    using job = yield* ctx.tryBegin(lane, [{ frame, write: true }]);
    if (job === undefined) continue;
    ctx.verify(job, frame);
    if (ctx.payload === 'pixels') drawNumberNv12(nv12Of(frame, job.segments(frame)), frame.sequence);
    ctx.seal(job, frame);
    yield* ctx.serve(job, ctx.parameters.service, random);
    job.end();
    source.handOver(frame);
    yield* out.push(frame);
  }
}
