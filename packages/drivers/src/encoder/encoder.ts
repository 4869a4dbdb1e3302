/**
 * A video encoder: H.264 in MP4, one frame at a time and in order.
 *
 * Its import copy of a picture is its DMA read. A frame whose storage it cannot get (a move that timed out, a buffer that
 * cannot be moved) is refused and counted, and the stream goes on. Source: the job loop of v4l2-mem2mem.c, v6.12.
 */
import type { RandomStream, Task } from '@dmabuf-lab/core/base';
import {
  type DriverContext,
  defineDriver,
  type Frame,
  input,
  type Job,
  serviceTimeSchema,
} from '@dmabuf-lab/core/driver';
import { z } from 'zod';
import { nv12Of } from '../frame-images.js';
import { type H264Encoder, h264SizeProblem, openH264Encoder } from '../media/index.js';

const parameters = z.strictObject({
  service: serviceTimeSchema.default({ kind: 'fixed', fixedNs: 8_000_000 }).meta({ description: 'time of one frame' }),
  bitrate: z.number().int().min(1000).max(1e9).optional().meta({ description: 'bits per second' }),
  backend: z
    .enum(['auto', 'webcodecs', 'h264-mp4-encoder'])
    .default('auto')
    .meta({ description: 'in virtual time always h264-mp4-encoder, which gives the same bytes each time' }),
  sizeStep: z.number().int().min(2).max(64).default(2).meta({ description: 'width and height are a multiple of this' }),
  maxWidth: z.number().int().positive().default(3840),
  maxHeight: z.number().int().positive().default(2160),
});
type Parameters = z.output<typeof parameters>;

const ports = { in: input() };
type Context = DriverContext<Parameters, typeof ports>;

export default defineDriver({
  name: 'encoder',
  parameters,
  ports,

  plan({ sizeStep, maxWidth, maxHeight }, { in: format }) {
    if (format === undefined) return { outputs: {}, problems: ['its input "in" is linked to nothing'] };
    const { fourcc, widthPixels, heightPixels } = format;
    const problems: string[] = [];
    if (fourcc !== 'NV12') problems.push(`it takes NV12, and its input carries ${fourcc}`);
    if (widthPixels % sizeStep !== 0 || heightPixels % sizeStep !== 0) {
      problems.push(`it takes sizes in steps of ${sizeStep} pixels, and its input is ${widthPixels}x${heightPixels}`);
    }
    if (widthPixels > maxWidth || heightPixels > maxHeight) {
      problems.push(`it takes at most ${maxWidth}x${maxHeight}, and its input is ${widthPixels}x${heightPixels}`);
    }
    const problem = h264SizeProblem(widthPixels, heightPixels);
    if (problem !== undefined) problems.push(problem);
    return { outputs: {}, problems };
  },

  *setup(ctx): Task<H264Encoder | undefined> {
    const format = ctx.ports.in?.format;
    if (ctx.payload !== 'pixels' || format === undefined) return undefined;
    const { widthPixels, heightPixels, rate } = format;
    const backend = ctx.runtime === 'virtual' ? 'h264-mp4-encoder' : ctx.parameters.backend;
    const { bitrate } = ctx.parameters;
    const options = { widthPixels, heightPixels, frameRate: rate, backend, bitrate } as const;
    return yield* ctx.external(openH264Encoder(options), 'opening the H.264 encoder');
  },

  *run(ctx, codec) {
    const source = ctx.ports.in;
    if (source === undefined) return;
    const lane = ctx.lane();
    const random = ctx.random('service');
    for (const counter of ['encoded', 'refused']) ctx.count(counter, 0);
    let firstSequence: number | undefined;
    for (let frame = yield* source.take(); frame !== undefined; frame = yield* source.take()) {
      const job = yield* ctx.tryBegin(lane, [{ frame, write: false }]);
      if (job === undefined) {
        source.drop(frame);
        continue;
      }
      firstSequence ??= frame.sequence;
      yield* encodeFrame(ctx, job, frame, codec, frame.sequence - firstSequence, random);
      job.end();
      source.release(frame, job);
    }
    if (codec !== undefined) yield* leaveVideo(ctx, codec);
  },
});

function* encodeFrame(
  ctx: Context,
  job: Job,
  frame: Frame,
  codec: H264Encoder | undefined,
  index: number,
  random: RandomStream,
): Task<void> {
  ctx.verify(job, frame);
  if (codec !== undefined) {
    const { luma, chroma } = nv12Of(frame, job.segments(frame));
    yield* ctx.external(codec.encode({ luma, chroma }, index), 'the H.264 encoder');
  }
  yield* ctx.serve(job, ctx.parameters.service, random);
  ctx.arrived('bitstream', frame);
  ctx.count('encoded');
  ctx.sequence('encoded', frame.sequence);
}

function* leaveVideo(ctx: Context, codec: H264Encoder): Task<void> {
  const bytes = yield* ctx.external(codec.finish(), 'finishing the video');
  if (bytes.length === 0) return;
  ctx.count('videoFrames', codec.framesEncoded);
  const { backend, framesEncoded } = codec;
  ctx.artefact({ kind: 'video', name: 'video.mp4', bytes, frames: framesEncoded, backend });
}
