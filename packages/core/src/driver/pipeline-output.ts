import {
  attempt,
  attemptUntil,
  ErrnoError,
  InvariantError,
  isErrno,
  type Nanoseconds,
  sleepUntil,
  type Task,
  TIMED_OUT,
} from '../base/index.js';
import { callOnce, EXPORTER, isMoving } from '../dma-buf/index.js';
import { type DmaFence, DmaResv, fenceStatus, ResvUsage, waitFence } from '../sync/index.js';
import type { OutputPort } from './driver-port.js';
import type { FrameFormat } from './frame-format.js';
import { FRAME_OWNER, linkHolder } from './frame-words.js';
import { PipelineFrame } from './pipeline-frame.js';
import { HANDED_OVER } from './pipeline-input.js';
import type { PipelineLane } from './pipeline-lane.js';
import type { LinkSpec, PoolSpec, PortParts } from './port-parts.js';
import type { RingWords } from './ring-words.js';
import { SequenceLog } from './statistics.js';

/** While no heap has room for a buffer that is to be drawn into: how often it is tried again, and for how long. */
const SHORTAGE_LOOK_NS = 10_000_000;
const SHORTAGE_LIMIT_NS = 5_000_000_000;
/** No memory for a row's buffer or its mapping, or the buffer was given up. */
const SHORTAGE = ['ENOMEM', 'ENOSPC', 'EIO'] as const;

/** A link as its producer sees it. */
interface OutLink {
  readonly spec: LinkSpec;
  readonly ring: RingWords;
  readonly dropped: SequenceLog;
  /** Frames for which `room` has promised a place. */
  promised: number;
}

/**
 * Where frames leave. An output owns a pool of buffers, or passes on frames that came in (then it has none).
 *
 * Pools are fixed, like REQBUFS, or grow on demand up to a limit.
 */
export class PipelineOutput implements OutputPort {
  readonly #links: OutLink[];
  readonly #acquiredNs = new Map<number, Nanoseconds>();
  /** Rows whose buffer an earlier life of this driver exported: they get a new one at their next use. */
  readonly #inherited = new Set<number>();
  /** The buffers that this life has made, by row: what their rows say may have been overwritten. */
  readonly #buffers = new Map<number, PipelineFrame['buffer']>();
  /** One generator adds a buffer at a time. */
  #growing = false;
  #heldNs = 0;

  constructor(
    private readonly parts: PortParts,
    readonly name: string,
    readonly format: FrameFormat,
    readonly pool: PoolSpec | undefined,
    links: readonly LinkSpec[],
  ) {
    this.#links = links.map((spec) => ({
      spec,
      ring: parts.tables.ring(spec.index),
      dropped: new SequenceLog(),
      promised: 0,
    }));
  }

  /**
   * Waits for a buffer to draw into: the one that has been free longest. Grows a dynamic pool when none is free.
   *
   * The buffer's fences are waited for: who read it last must have finished.
   *
   * @throws ErrnoError EIO when the control words of the pool, or of all its frames, were overwritten
   */
  *acquire(lane: PipelineLane): Task<PipelineFrame> {
    const pool = this.#ownPool();
    yield* this.#reopenIfAsked();
    let row = this.#tryAcquire(pool);
    if (row === undefined && (yield* this.#grow(pool))) row = this.#tryAcquire(pool);
    row ??= yield* attempt(() => this.parts.tables.frames.acquireStep(pool.region, () => true));
    const { clock } = this.parts.services;
    for (const giveUpNs = clock.now() + SHORTAGE_LIMIT_NS; ; ) {
      try {
        return yield* this.#prepare(pool, row, lane);
      } catch (error) {
        if (!isErrno(error, ...SHORTAGE) || clock.now() >= giveUpNs) throw error;
        row = yield* this.#afterShortage(pool, row, error.code);
      }
    }
  }

  /** A row's buffer cannot be had: another that is free and has one, or after a while the same again. */
  *#afterShortage(pool: PoolSpec, row: number, code: string): Task<number> {
    const { frames } = this.parts.tables;
    this.#countShortage(row, code);
    const other = (free: number): boolean => !this.#inherited.has(free);
    const untilNs = this.parts.services.clock.now() + SHORTAGE_LOOK_NS;
    if (other(row)) yield* sleepUntil(untilNs, 'memory for a buffer'); // it has one: there is none for its mapping
    const found = yield* attemptUntil(() => frames.acquireStep(pool.region, other), untilNs);
    return found === TIMED_OUT ? yield* attempt(() => frames.acquireStep(pool.region, () => true)) : found;
  }

  *acquireForTick(lane: PipelineLane): Task<PipelineFrame | undefined> {
    if (this.parts.services.backPressured) return yield* this.acquire(lane);
    const pool = this.#ownPool();
    yield* this.#reopenIfAsked();
    let row: number | undefined;
    try {
      row = this.#tryAcquire(pool);
      if (row === undefined && (yield* this.#grow(pool))) row = this.#tryAcquire(pool);
      return row === undefined ? undefined : yield* this.#prepare(pool, row, lane);
    } catch (error) {
      if (!isErrno(error, ...SHORTAGE)) throw error;
      this.#countShortage(row, error.code);
      return undefined;
    }
  }

  #countShortage(row: number | undefined, code: string): void {
    const refused = code === 'EIO' ? 'refusedEIO' : 'refusedENOMEM';
    this.parts.statistics.count(row !== undefined && this.#inherited.has(row) ? 'poolGrowthFailed' : refused);
  }

  cancel(frame: PipelineFrame): void {
    this.#surrender(frame, 'cancel');
    for (const link of this.#links) this.#giveBack(link);
    frame.release(this.parts.services.clock.now());
  }

  /**
   * Hands a frame to every consumer that wants it, each link by its own policy: `block` waits for room, `drop-oldest`
   * takes the oldest waiting frame out, `drop-newest` leaves this frame out, `error` does so too and refuses with ENOBUFS, once
   * all others have been served. The caller's reference is gone.
   */
  *push(frame: PipelineFrame): Task<void> {
    this.#surrender(frame, 'push');
    const nowNs = this.parts.services.clock.now();
    const { sequence } = frame;
    this.parts.statistics.madeFrame();
    let full: OutLink | undefined;
    for (const link of this.#links) {
      const isWanted = link.ring.beginPush();
      if (isWanted) link.promised = Math.max(0, link.promised - 1);
      else this.#giveBack(link);
      if (isWanted) {
        if (link.ring.roomStep() === true) this.#handTo(link, frame, nowNs);
        else if (!(yield* this.#pushTo(link, frame, sequence, nowNs))) full ??= link;
      }
      link.ring.endPush();
    }
    frame.release(this.parts.services.clock.now());
    if (full !== undefined) throw overflow(full.spec, full.ring.depth, sequence);
  }

  /**
   * Waits until every blocking link has room for a frame and keeps that room for a push: for those who must not wait once
   * they owe a fence.
   */
  *room(): Task<void> {
    for (const link of this.#links) {
      const { spec, ring } = link;
      if (spec.policy === 'block') yield* attempt(() => !ring.wanted || ring.roomStep(link.promised));
      link.promised += 1;
    }
  }

  /** @returns false when the link is full, and that is an error */
  *#pushTo(link: OutLink, frame: PipelineFrame, sequence: number, nowNs: Nanoseconds): Task<boolean> {
    const { frames } = this.parts.tables;
    const { ring, spec } = link;
    let room = ring.roomStep();
    if (room !== true && (spec.policy === 'drop-newest' || spec.policy === 'error')) {
      link.dropped.add(sequence);
      return spec.policy === 'drop-newest';
    }
    while (room !== true && spec.policy === 'drop-oldest') {
      const oldest = ring.takeToDrop();
      if (oldest !== undefined) {
        link.dropped.add(frames.sequence(oldest.frame));
        frames.setReleaseFence(oldest.frame, spec.consumer, undefined);
        frames.release(spec.pool, oldest.frame, linkHolder(spec.consumer), nowNs, ring);
      }
      ring.endDrop();
      room = ring.roomStep();
    }
    if (room !== true) yield* attempt(() => !ring.wanted || ring.roomStep());
    if (ring.wanted) this.#handTo(link, frame, nowNs); // else the consumer has left, or the ring is broken, since this push began
    return true;
  }

  /** A promised place is not used: a lane that has found no room because of the promise looks again. */
  #giveBack(link: OutLink): void {
    if (link.promised === 0) return;
    link.promised -= 1;
    link.ring.roomAgain();
  }

  /** Makes a link a holder of a frame and puts it into its ring, which has room. Nothing may wait inside (journal). */
  #handTo({ ring, spec }: OutLink, frame: PipelineFrame, nowNs: Nanoseconds): void {
    const { frames } = this.parts.tables;
    const holder = linkHolder(spec.consumer);
    ring.intend(frame.row);
    frames.beginHandOver(frame.row, holder);
    frames.addHolder(frame.row, holder);
    if (!ring.push(frame.row, nowNs)) frames.reclaimHold(spec.pool, frame.row, holder, nowNs);
    frames.endHandOver(frame.row, holder);
  }

  /** A free buffer that can be written now: not being moved, its fences signalled. */
  #tryAcquire(pool: PoolSpec): number | undefined {
    const { frames, buffers, timelines, resv } = this.parts.tables;
    this.parts.services.clock.now();
    const ready = (row: number): boolean => {
      if (this.#inherited.has(row)) return false;
      const { slot } = frames.buffer(row);
      if (isMoving(buffers.state(slot))) return false;
      if (frames.hasReleaseFences(row) && this.#releasePending(row)) return false;
      return new DmaResv(resv, timelines, slot).testSignalled(ResvUsage.Read);
    };
    const row = frames.acquireStep(pool.region, ready);
    if (typeof row === 'number') return row;
    // Better one that has to be waited for than none.
    const any = frames.acquireStep(pool.region, () => true);
    return typeof any === 'number' ? any : undefined;
  }

  #releasePending(row: number): boolean {
    const { frames, timelines } = this.parts.tables;
    return frames.releaseFences(row).some((fence) => fenceStatus(timelines, fence) === 0);
  }

  *#prepare(pool: PoolSpec, row: number, lane: PipelineLane): Task<PipelineFrame> {
    const { frames, timelines } = this.parts.tables;
    const frame = new PipelineFrame(
      frames,
      pool.region,
      row,
      this.format,
      FRAME_OWNER,
      this.parts.services.clock.now(),
    );
    this.#countUse(row);
    this.#acquiredNs.set(row, frame.takenNs);
    if (this.#inherited.has(row)) return yield* this.#replaceBuffer(pool, frame, lane);
    if (frames.hasReleaseFences(row)) {
      for (const fence of frames.releaseFences(row)) yield* this.#awaitRelease(timelines, fence);
    }
    yield* this.#hold(frame, lane);
    frame.lend(() => this.cancel(frame), this);
    return frame;
  }

  /** Adds a frame's last use, from acquire until it came back, to the time that the pool's buffers were out. */
  #countUse(row: number): void {
    const acquiredNs = this.#acquiredNs.get(row);
    if (acquiredNs !== undefined) this.#heldNs += this.parts.tables.frames.returnedNs(row) - acquiredNs;
    this.#acquiredNs.delete(row);
  }

  *#awaitRelease(timelines: PortParts['tables']['timelines'], fence: DmaFence): Task<void> {
    if (fenceStatus(timelines, fence) === 0) yield* waitFence(timelines, fence, 'a release fence');
  }

  /** Adds a buffer to a pool that may grow. @returns false when it may not, or there is no memory */
  *#grow(pool: PoolSpec): Task<boolean> {
    if (this.#growing || this.parts.tables.frames.count(pool.region) >= pool.region.limit) return false;
    this.#growing = true;
    try {
      yield* this.addBuffer(pool);
      return true;
    } catch (error) {
      if (!isErrno(error, 'ENOMEM', 'ENOSPC')) throw error;
      this.parts.statistics.count('poolGrowthFailed');
      return false;
    } finally {
      this.#growing = false;
    }
  }

  // ---- for the actor of the driver ----

  /** Takes over the rows of a pool from the life before; its buffers went with it. */
  inherit(pool: PoolSpec): void {
    const count = this.parts.tables.frames.count(pool.region);
    for (let i = 0; i < count; i += 1) this.#inherited.add(pool.region.firstFrame + i);
  }

  /** Creates one more buffer of the pool and attaches this device to it. */
  *addBuffer(pool: PoolSpec): Task<void> {
    const index = this.parts.tables.frames.count(pool.region);
    const buffer = yield* this.#createBuffer(pool, index, index < pool.initialBuffers ? pool.expect : []);
    this.#buffers.set(pool.region.firstFrame + index, buffer); // also when its row is refused: it has to be destroyed
    this.parts.tables.frames.addBuffer(pool.region, buffer);
  }

  *#createBuffer(pool: PoolSpec, index: number, expect: readonly string[]): Task<PipelineFrame['buffer']> {
    const buffer: PipelineFrame['buffer'] = yield* this.parts.services.call(EXPORTER, 'create', {
      actor: this.parts.services.id,
      name: `${pool.name}[${index}]`,
      pool: pool.name,
      sizeBytes: pool.format.sizeBytes,
      allocate: pool.allocate,
      movable: pool.movable,
      expect,
      expectTimeoutNs: pool.expectTimeoutNs,
    });
    this.parts.watch?.created(buffer);
    try {
      yield* this.parts.importer.attach(buffer);
    } catch (error) {
      yield* callOnce(this.parts.services, 'destroy', { buffer });
      throw error;
    }
    return buffer;
  }

  /** Gives a row that was inherited a buffer of this life; when there is no memory, the row is free again. */
  *#replaceBuffer(pool: PoolSpec, frame: PipelineFrame, lane: PipelineLane): Task<PipelineFrame> {
    const { frames } = this.parts.tables;
    const { row, holder } = frame;
    try {
      const buffer = yield* this.#createBuffer(pool, row - pool.region.firstFrame, []);
      this.#buffers.set(row, buffer);
      frames.replaceBuffer(row, buffer);
    } catch (error) {
      frames.release(pool.region, row, holder, this.parts.services.clock.now());
      throw error;
    }
    this.#inherited.delete(row);
    const renewed = new PipelineFrame(frames, pool.region, row, this.format, holder, frame.takenNs);
    yield* this.#hold(renewed, lane);
    renewed.lend(() => this.cancel(renewed), this);
    return renewed;
  }

  /** As vb2 does at QBUF; when that fails, the frame is free again. */
  *#hold(frame: PipelineFrame, lane: PipelineLane): Task<void> {
    try {
      yield* this.parts.importer.hold(frame.buffer, lane);
    } catch (error) {
      this.parts.tables.frames.release(frame.pool, frame.row, frame.holder, this.parts.services.clock.now());
      throw error;
    }
  }

  *#reopenIfAsked(): Task<void> {
    if (yield* this.parts.importer.reopenIfAsked()) this.parts.statistics.count('reqbufs');
  }

  close(): void {
    for (const { ring } of this.#links) ring.close();
  }

  /** Waits until every frame of the own pool has come back. */
  *collect(): Task<void> {
    const { pool } = this;
    if (pool === undefined) return;
    yield* attempt(() => this.parts.tables.frames.allFreeStep(pool.region));
    for (const row of [...this.#acquiredNs.keys()]) this.#countUse(row);
  }

  /** Destroys the buffers of the own pool, once nobody is attached any more. */
  *destroy(): Task<void> {
    // Those of rows that were inherited have gone with the life that exported them.
    const inOrder = [...this.#buffers].sort(([a], [b]) => a - b);
    for (const [, buffer] of inOrder) yield* callOnce(this.parts.services, 'destroy', { buffer });
  }

  get heldNs(): Nanoseconds {
    return this.#heldNs;
  }

  *dropsByLink(): Generator<{ index: number; dropped: SequenceLog }> {
    for (const { spec, dropped } of this.#links) yield { index: spec.index, dropped };
  }

  #surrender(frame: PipelineFrame, op: string): void {
    if (frame.surrender(this) || (this.#passesOn(frame) && frame.surrender(HANDED_OVER))) return;
    const message = `Cannot ${op} frame ${frame.sequence} at output ${this.name}: it is not one of its own that the driver has`;
    throw new ErrnoError('EINVAL', op, message);
  }

  /** Whether frames of that pool leave here without being this output's. */
  #passesOn(frame: PipelineFrame): boolean {
    return this.pool === undefined && this.#links.every(({ spec }) => spec.pool.row === frame.pool.row);
  }

  #ownPool(): PoolSpec {
    const { pool } = this;
    if (pool === undefined) throw new InvariantError(`output ${this.name} has a pool of its own`);
    return pool;
  }
}

function overflow({ from, to }: LinkSpec, depth: number, sequence: number): ErrnoError {
  const message = `Cannot push frame ${sequence} from ${from} to ${to}: the link is full, with ${depth} waiting, and its policy is error`;
  return new ErrnoError('ENOBUFS', 'push', message, { frame: sequence, depth });
}
