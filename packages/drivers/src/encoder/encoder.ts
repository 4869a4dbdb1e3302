/**
 * A video encoder: H.264, one frame at a time and in order. It leaves the whole as an MP4 file, and where its output is
 * linked, each frame goes there as a bitstream (Annex B).
 *
 * Its import copy of a picture is its DMA read. A frame whose storage it cannot get (a move that timed out, a buffer that
 * cannot be moved) is refused and counted, and the stream goes on. Source: the job loop of v4l2-mem2mem.c, v6.12.
 */
import { ERRNO, isErrno, type RandomStream, type Task } from '@dmabuf-lab/core/base';
import {
  bitstreamFormat,
  type DriverContext,
  defineDriver,
  type Frame,
  type InputPort,
  input,
  type Job,
  type Lane,
  output,
  STAMP_BYTES,
  serviceTimeSchema,
  writeStamps,
} from '@dmabuf-lab/core/driver';
import { z } from 'zod';
import { type H264BitstreamFrame, type H264Encoder, h264SizeProblem, openH264Encoder } from '../media/index.js';
import { nv12Of } from '../pixels/index.js';

/** Of memory. */
const PAGE_SIZE = 4096;

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

const ports = { in: input({ formats: ['NV12'] }), out: output({ isOptional: true }) };
type Context = DriverContext<Parameters, typeof ports>;

export default defineDriver({
  name: 'encoder',
  parameters,
  ports,

  plan({ sizeStep, maxWidth, maxHeight }, { in: format }) {
    const { widthPixels, heightPixels } = format;
    const problems: string[] = [];
    if (widthPixels % sizeStep !== 0 || heightPixels % sizeStep !== 0) {
      problems.push(`it takes sizes in steps of ${sizeStep} pixels, and its input is ${widthPixels}x${heightPixels}`);
    }
    if (widthPixels > maxWidth || heightPixels > maxHeight) {
      problems.push(`it takes at most ${maxWidth}x${maxHeight}, and its input is ${widthPixels}x${heightPixels}`);
    }
    const problem = h264SizeProblem(widthPixels, heightPixels);
    if (problem !== undefined) problems.push(problem);
    return { outputs: { out: bitstreamFormat(widthPixels, heightPixels, format.rate) }, problems };
  },

  *setup(ctx): Task<H264Encoder | undefined> {
    if (ctx.payload !== 'pixels') return undefined;
    const { widthPixels, heightPixels, rate } = ctx.ports.in.format;
    const backend = ctx.runtime === 'virtual' ? 'h264-mp4-encoder' : ctx.parameters.backend;
    const { bitrate } = ctx.parameters;
    const bitstream = ctx.ports.out !== undefined;
    const options = { widthPixels, heightPixels, frameRate: rate, backend, bitrate, bitstream } as const;
    return yield* ctx.external(openH264Encoder(options), 'opening the H.264 encoder');
  },

  *run(ctx, codec) {
    const { in: source } = ctx.ports;
    const lane = ctx.lane();
    const random = ctx.random('service');
    for (const counter of ['encoded', 'refused']) ctx.count(counter, 0);
    try {
      yield* encodeAll(ctx, source, lane, random, codec);
    } catch (error) {
      if (!isErrno(error, 'ECANCELED')) throw error; // stopped in the middle of a frame: what there is, is kept
    }
    if (codec !== undefined) yield* leaveVideo(ctx, codec);
  },
});

function* encodeAll(
  ctx: Context,
  source: InputPort,
  lane: Lane,
  random: RandomStream,
  codec: H264Encoder | undefined,
): Task<void> {
  const { out } = ctx.ports;
  let firstSequence: number | undefined;
  let index = -1;
  for (;;) {
    using frame = yield* source.take();
    if (frame === undefined) return;
    using target = out === undefined ? undefined : yield* out.acquire(lane);
    target?.describe(frame.sequence, frame.capturedNs);
    const written = target === undefined ? [] : [{ frame: target, write: true }];
    using job = yield* ctx.tryBegin(lane, [{ frame, write: false }, ...written]);
    if (job === undefined) continue;
    firstSequence ??= frame.sequence;
    // Behind a node, user space may queue a frame twice. Sequence numbers wrap at 2^32.
    index = Math.max(index + 1, (frame.sequence - firstSequence) | 0);
    yield* encodeFrame(ctx, { job, frame, target, codec, index, random });
    job.end();
    source.release(frame, job);
    if (out !== undefined && target !== undefined) yield* out.push(target);
  }
}

/** A frame in the works. */
interface Coding {
  readonly job: Job;
  readonly frame: Frame;
  /** Where its bitstream goes. */
  readonly target: Frame | undefined;
  readonly codec: H264Encoder | undefined;
  /** When it is shown, in frames of the frame rate. */
  readonly index: number;
  readonly random: RandomStream;
}

function* encodeFrame(ctx: Context, { job, frame, target, codec, index, random }: Coding): Task<void> {
  const good = ctx.verify(job, frame);
  if (codec !== undefined) {
    const { luma, chroma } = nv12Of(frame, job.segments(frame));
    const coded = yield* ctx.external(codec.encode({ luma, chroma }, index), 'the H.264 encoder');
    if (target !== undefined && coded !== undefined) writeCoded(ctx, job, target, coded);
  } else if (target !== undefined) writeHeader(ctx, job, target);
  if (target !== undefined && !good) target.error = ERRNO.EIO; // of a picture that is bad
  yield* ctx.serve(job, ctx.parameters.service, random);
  ctx.arrived('bitstream', frame);
  ctx.count('encoded');
  ctx.sequence('encoded', frame.sequence);
}

/** The bitstream, and zeros behind it, which a decoder skips. Source: trailing_zero_8bits, Annex B of ITU-T H.264. */
function writeCoded(ctx: Context, job: Job, target: Frame, { data, keyFrame }: H264BitstreamFrame): void {
  if (data.length > target.format.sizeBytes) {
    target.error = ERRNO.ENOSPC;
    return;
  }
  let at = 0;
  for (const segment of job.segments(target)) {
    segment.fill(0);
    segment.set(data.subarray(at, at + segment.length));
    at += segment.length;
  }
  target.coded = { usedBytes: data.length, isKeyFrame: keyFrame };
  ctx.seal(job, target);
}

/**
 * Where there are no pictures, a frame's bitstream is a header alone: the stamp of a page, 20 bytes, which names its buffer
 * and its sequence number and carries a checksum.
 */
function writeHeader(ctx: Context, job: Job, target: Frame): void {
  if (ctx.payload === 'timing') writeStamps(firstPage(job.segments(target)), target.bufferNumber, target.sequence);
  ctx.seal(job, target);
  target.coded = { usedBytes: STAMP_BYTES, isKeyFrame: true };
}

const firstPage = ([segment]: readonly Uint8Array[]): Uint8Array[] => [segment.subarray(0, PAGE_SIZE)];

function* leaveVideo(ctx: Context, codec: H264Encoder): Task<void> {
  const bytes = yield* ctx.external(codec.finish(), 'finishing the video');
  if (bytes.length === 0) return;
  ctx.count('videoFrames', codec.framesEncoded);
  const { backend, framesEncoded } = codec;
  ctx.artefact({ kind: 'video', name: 'video.mp4', bytes, frames: framesEncoded, backend });
}
