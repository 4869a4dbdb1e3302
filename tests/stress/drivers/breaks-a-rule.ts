/** Cameras and sinks that break one rule each; what they need beyond their context, they take as a module of JavaScript could. */
import { isErrno, type TableRegion, type Task, wordAt } from '@dmabuf-lab/core/base';
import { type BufferHandle, EXPORTER } from '@dmabuf-lab/core/dma-buf';
import { defineDriver, frameFormat, input, type OpenTables, output } from '@dmabuf-lab/core/driver';
import type { ActorHost } from '@dmabuf-lab/core/runtime';
import { z } from 'zod';

const WIDTH = 64;
const TICK_NS = 4_000_000;

interface Insides {
  readonly services: ActorHost;
  readonly tables: OpenTables;
}
const bufferOf = (frame: object): BufferHandle => (frame as { readonly buffer: BufferHandle }).buffer;
const insidesOf = (ctx: object): Insides => (ctx as { readonly common: Insides }).common;

/** Passes a frame on while it still draws, with no fence that anybody could wait for. */
export const handsOnEarly = defineDriver({
  name: 'hands-on-early',
  parameters: z.strictObject({}),
  ports: { out: output() },
  plan: () => ({ outputs: { out: frameFormat('NV12', WIDTH, WIDTH, { num: 250, den: 1 }) }, problems: [] }),
  *run(ctx) {
    const { out } = ctx.ports;
    const lane = ctx.lane();
    for (let n = 0; out !== undefined && (yield* ctx.tick(n * TICK_NS)); n += 1) {
      const frame = yield* out.acquireForTick(lane);
      if (frame === undefined) continue;
      frame.describe(n, n * TICK_NS);
      const job = yield* ctx.begin(lane, [{ frame, write: true }], { publish: false });
      ctx.seal(job, frame);
      yield* out.push(frame);
      yield* ctx.sleepUntil(ctx.now() + 2 * TICK_NS);
      job.end();
    }
  },
});

/** Hands frames on with whatever their pages held before. */
export const neverSeals = defineDriver({
  name: 'never-seals',
  parameters: z.strictObject({}),
  ports: { out: output() },
  plan: () => ({ outputs: { out: frameFormat('NV12', WIDTH, WIDTH, { num: 250, den: 1 }) }, problems: [] }),
  *run(ctx) {
    const { out } = ctx.ports;
    const lane = ctx.lane();
    for (let n = 0; yield* ctx.tick(n * TICK_NS); n += 1) {
      using frame = yield* out.acquireForTick(lane);
      if (frame === undefined) continue;
      frame.describe(n, n * TICK_NS);
      using job = yield* ctx.begin(lane, [{ frame, write: true }]);
      job.end();
      yield* out.push(frame);
    }
  },
});

/** Takes frames in order, and does something else beside. */
function sink(name: string, beside: (insides: Insides, buffer: BufferHandle, view: Uint8Array) => Task<void>) {
  return defineDriver({
    name,
    parameters: z.strictObject({}),
    ports: { in: input() },
    plan: () => ({ outputs: {} }),
    *run(ctx) {
      const lane = ctx.lane();
      for (;;) {
        using frame = yield* ctx.ports.in.take();
        if (frame === undefined) return;
        using job = yield* ctx.tryBegin(lane, [{ frame, write: false }]);
        if (job === undefined) continue;
        const [view] = job.segments(frame);
        yield* beside(insidesOf(ctx), bufferOf(frame), view);
        job.end();
      }
    },
  });
}

let kept: { readonly buffer: BufferHandle; readonly view: Uint8Array } | undefined;

/** Keeps a view, and writes through it when the camera has died and its buffers are gone. */
export const writesAfterFree = sink('writes-after-free', function* ({ tables }, buffer, view) {
  kept ??= { buffer, view };
  if (tables.buffers.life(kept.buffer.slot) === kept.buffer.life) return;
  kept.view[28] = 1;
  kept = undefined;
});

export const sendsGarbage = sink('sends-garbage', function* ({ services }) {
  try {
    yield* services.call(EXPORTER, 'map', { buffer: { slot: -1, life: 1 }, attachment: 0 });
  } catch (error) {
    if (!isErrno(error, 'EPROTO')) throw error;
  }
});

/** Its index has run away: it writes over the end of the row of a buffer. */
export const overwritesWords = sink('overwrites-words', function* ({ services, tables }, { slot }) {
  const { buffers } = tables.guards as unknown as { readonly buffers: TableRegion };
  services.words.store(wordAt(buffers, slot, buffers.rowWords - 1), 0x0bad_0bad);
});
