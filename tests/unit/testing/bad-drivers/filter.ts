/** What the bad drivers have in common: a filter that turns pictures upside down in value, done well. */
import type { Task } from '@dmabuf-lab/core/base';
import { type DriverContext, type FrameFormat, input, type Job, output } from '@dmabuf-lab/core/driver';
import { z } from 'zod';

export const parameters = z.strictObject({ service: z.number().int().min(0).default(2_000_000) });
export const ports = { in: input(), out: output() };
export type Context = DriverContext<z.output<typeof parameters>, typeof ports>;

export const plan = (_parameters: unknown, inputs: { readonly in: FrameFormat }) => ({ outputs: { out: inputs.in } });

/** Reads one list of pages and writes the other; their runs need not be as long. */
export function invert(from: readonly Uint8Array[], to: readonly Uint8Array[]): void {
  const bytes = joined(from).map((byte) => 255 - byte);
  let at = 0;
  for (const run of to) {
    run.set(bytes.subarray(at, at + run.length));
    at += run.length;
  }
}

/** All runs in one array. */
export function joined(runs: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(runs.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const run of runs) {
    bytes.set(run, at);
    at += run.length;
  }
  return bytes;
}

/** The whole driver, done well. `draw` is called once a frame, while its job is open. */
export function* filter(
  ctx: Context,
  draw: (from: readonly Uint8Array[], to: readonly Uint8Array[], job: Job) => void = invert,
): Task<void> {
  const { in: source, out } = ctx.ports;
  const lane = ctx.lane();
  for (;;) {
    using frame = yield* source.take();
    if (frame === undefined) return;
    using target = yield* out.acquire(lane);
    target.describe(frame.sequence, frame.capturedNs);
    const accesses = [
      { frame, write: false },
      { frame: target, write: true },
    ];
    using job = yield* ctx.tryBegin(lane, accesses);
    if (job === undefined) continue;
    const good = ctx.verify(job, frame);
    if (ctx.payload === 'pixels') draw(job.segments(frame), job.segments(target), job);
    ctx.seal(job, target);
    yield* ctx.sleepUntil(ctx.now() + ctx.parameters.service);
    job.end(good ? undefined : 'EIO');
    source.release(frame);
    yield* out.push(target);
  }
}
