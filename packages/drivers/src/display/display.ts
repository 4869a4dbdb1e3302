/**
 * A display: flips to a new frame at a vblank, or shows the old one again.
 *
 * `fifo` shows every frame in turn; `mailbox` shows the newest that is complete and skips the rest. A frame whose fence is
 * pending at the vblank is not shown yet. What is on screen stays mapped until it is replaced, and has no fence of its
 * own, as scan-out pins its framebuffer. Source: drm_atomic_helper_commit (in-fences), vkms_crtc.c (ideal edges), v6.12.
 */
import { ErrnoError, firstTickAt, type Nanoseconds, NS_PER_SECOND, type Task, tickTime } from '@dmabuf-lab/core/base';
import {
  type DriverContext,
  defineDriver,
  durationSchema,
  type Frame,
  type InputPort,
  input,
  type Job,
  type Lane,
  rateSchema,
} from '@dmabuf-lab/core/driver';
import { z } from 'zod';
import { crc32OfRows, rgbaOf } from '../pixels/index.js';

const parameters = z.strictObject({
  refresh: rateSchema.default({ num: 60, den: 1 }).meta({ description: 'vblanks per second' }),
  phase: durationSchema.default(0).meta({ description: 'time of the first vblank' }),
  queue: z.enum(['fifo', 'mailbox']).default('fifo'),
  pictures: z
    .number()
    .int()
    .min(0)
    .max(100)
    .default(3)
    .meta({ description: 'last frames kept as PNG (payload pixels)' }),
});
type Parameters = z.output<typeof parameters>;

const ports = { in: input({ formats: ['AB24'] }) };
type Context = DriverContext<Parameters, typeof ports>;

/** How long a screen waits for a frame once the sources have stopped. */
const DRAIN_LIMIT_NS = 30 * NS_PER_SECOND;

/** What is on the screen. */
interface Shown {
  readonly frame: Frame;
  readonly job: Job;
  readonly sinceNs: Nanoseconds;
}

export default defineDriver({
  name: 'display',
  parameters,
  ports,

  plan() {
    return { outputs: {} };
  },

  *run(ctx) {
    const { in: source } = ctx.ports;
    for (const counter of ['shown', 'repeatedVblanks', 'lateVblanks']) ctx.count(counter, 0);
    const screen = new Screen(ctx, source);
    if (ctx.backPressured) yield* screen.showAsTheyCome();
    else yield* screen.showAtVblanks();
    screen.leave();
  },
});

class Screen {
  readonly #lane: Lane;
  readonly #album: Album;
  #shown: Shown | undefined;
  #crcs: string[] = [];

  constructor(
    private readonly ctx: Context,
    private readonly source: InputPort,
  ) {
    this.#lane = ctx.lane();
    this.#album = new Album(ctx.payload === 'pixels' ? ctx.parameters.pictures : 0);
  }

  *showAtVblanks(): Task<void> {
    const { refresh, phase } = this.ctx.parameters;
    let n = Math.max(0, firstTickAt(Math.max(0, this.ctx.now() - phase), refresh));
    for (;;) {
      yield* this.ctx.beat(phase + tickTime(n, refresh));
      n += 1;
      const next = this.#pick();
      if (next === undefined) {
        if (this.source.ended) return;
        this.#repeat();
        continue;
      }
      const job = yield* this.ctx.tryBegin(this.#lane, [{ frame: next, write: false }], { publish: false });
      if (job === undefined) {
        this.source.drop(next);
        this.#repeat();
        continue;
      }
      if (job.stalledNs > 0) {
        // The vblank has passed while the buffer was being moved: the flip is at the next one.
        const missed = firstTickAt(Math.max(0, this.ctx.now() - phase), refresh);
        for (; n <= missed; n += 1) this.#repeat();
        yield* this.ctx.beat(phase + tickTime(missed, refresh));
      }
      this.#flip(next, job);
    }
  }

  /** Without a clock: every frame as it comes. */
  *showAsTheyCome(): Task<void> {
    for (let next = yield* this.source.take(); next !== undefined; next = yield* this.source.take()) {
      const job = yield* this.ctx.tryBegin(this.#lane, [{ frame: next, write: false }], { publish: false });
      if (job === undefined) this.source.drop(next);
      else this.#flip(next, job);
    }
  }

  /** Takes what is on the screen off it, and leaves the last pictures and the checksums of all. */
  leave(): void {
    this.#putBack();
    this.#album.leave(this.ctx);
    if (this.#crcs.length === 0) return;
    const text = `${this.#crcs.join('\n')}\n`;
    this.ctx.artefact({ kind: 'text', name: 'crc.txt', bytes: new TextEncoder().encode(text) });
  }

  #pick(): Frame | undefined {
    let next = this.source.tryTakeReady();
    if (this.ctx.parameters.queue === 'fifo' || next === undefined) return next;
    for (let newer = this.source.tryTakeReady(); newer !== undefined; newer = this.source.tryTakeReady()) {
      this.source.drop(next);
      next = newer;
    }
    return next;
  }

  /** A vblank without a new frame: late if one was due by the rate of its source. */
  #repeat(): void {
    if (this.#shown === undefined) return;
    this.#checkDrain(this.#shown.sinceNs);
    const { refresh } = this.ctx.parameters;
    const { rate } = this.source.format;
    const halfVblankNs = (NS_PER_SECOND * refresh.den) / refresh.num / 2;
    const dueNs = this.#shown.sinceNs + (NS_PER_SECOND * rate.den) / rate.num - halfVblankNs;
    this.ctx.count('repeatedVblanks');
    if (this.ctx.now() < dueNs || this.source.ended) return;
    this.ctx.count('lateVblanks');
    this.ctx.trace('late vblank', this.ctx.now());
  }

  /** Long after the sources have stopped, with neither a frame nor an end: somebody upstream waits for what is on screen. */
  #checkDrain(sinceNs: Nanoseconds): void {
    const nowNs = this.ctx.now();
    if (nowNs < this.ctx.durationNs || nowNs - sinceNs < DRAIN_LIMIT_NS) return;
    throw new ErrnoError(
      'EDEADLK',
      'vblank',
      `${this.ctx.device} has had no frame for ${DRAIN_LIMIT_NS / NS_PER_SECOND} s and the run does not end: its source may be waiting ` +
        'for the buffer on the screen; a pool that a display shows needs two buffers at least',
    );
  }

  #flip(frame: Frame, job: Job): void {
    const { ctx } = this;
    this.#putBack();
    ctx.verify(job, frame);
    if (ctx.payload === 'pixels') {
      const image = rgbaOf(frame, job.segments(frame));
      this.#crcs.push(`${frame.sequence} ${crc32OfRows(image.pixels).toString(16).padStart(8, '0')}`);
      this.#album.add(frame, image);
    }
    ctx.arrived('display', frame);
    ctx.count('shown');
    ctx.sequence('shown', frame.sequence);
    if (ctx.tracing) ctx.trace('flip', ctx.now(), undefined, { sequence: frame.sequence });
    this.#shown = { frame, job, sinceNs: ctx.now() };
  }

  #putBack(): void {
    if (this.#shown === undefined) return;
    this.#shown.job.end();
    this.source.release(this.#shown.frame);
    this.#shown = undefined;
  }
}

/** The last pictures, copied off the screen. */
class Album {
  readonly #pictures: { sequence: number; widthPixels: number; heightPixels: number; bytes: Uint8Array }[] = [];

  constructor(private readonly capacity: number) {}

  add(frame: Frame, image: ReturnType<typeof rgbaOf>): void {
    if (this.capacity === 0) return;
    const { widthPixels, heightPixels } = image;
    const oldest = this.#pictures.length < this.capacity ? undefined : this.#pictures.shift();
    const bytes = oldest?.bytes ?? new Uint8Array(widthPixels * heightPixels * 4);
    for (let y = 0; y < heightPixels; y += 1) bytes.set(image.pixels.row(y), y * widthPixels * 4);
    this.#pictures.push({ sequence: frame.sequence, widthPixels, heightPixels, bytes });
  }

  leave(ctx: Context): void {
    for (const { sequence, ...picture } of this.#pictures) {
      ctx.artefact({ kind: 'picture', name: `frame-${String(sequence).padStart(6, '0')}.png`, ...picture });
    }
  }
}
