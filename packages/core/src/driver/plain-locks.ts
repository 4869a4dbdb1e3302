/**
 * Locks the reservations of a job as if there were no acquire contexts: one after the other, in the order in which the driver has
 * named the buffers, and waiting for each while it holds those before. Two drivers with opposite orders may wait for each other
 * for ever, which is what the mode is for. Every order is written down, so that two which contradict each other are named also
 * where nobody has come to wait.
 *
 * Source: dma_resv_lock without a ww_acquire_ctx, include/linux/dma-resv.h, v6.12; lockdep names such orders there.
 */
import { type ActorServices, attempt, EventClass, type Nanoseconds, sleepUntil, type Task } from '../base/index.js';
import type { BufferHandle } from '../dma-buf/index.js';
import type { AcquireContext, LockOrderWords, ResvWords } from '../sync/index.js';

/** What the plain locks of one life of an actor work on. */
export interface PlainLocksParts {
  /** The clock says when others that are due come first. */
  readonly services: Pick<ActorServices, 'clock'>;
  /** The reservations of all buffers of the run. */
  readonly resv: ResvWords;
  /** Where orders are written down; shared by all actors. */
  readonly orders: LockOrderWords;
  /** How often the actor has died before. */
  readonly life: number;
  /** Model time in ns; 0 before it has begun. */
  now(): Nanoseconds;
}

export class PlainLocks {
  /** What this actor has written down. */
  readonly #known = new Set<string>();

  constructor(private readonly parts: PlainLocksParts) {}

  /**
   * Locks all, or waits. A buffer that is named twice is locked once. Whoever is killed meanwhile leaves its locks to the reclaimer.
   *
   * Context: holds no reservation lock; may wait, without an end.
   *
   * @param lane the slot of the timeline of who locks
   * @param buffers in the order in which they are locked
   * @param context of the caller, whose stamp stands in each lock until it is given up; it may not hold any of them yet
   */
  *lock(lane: number, buffers: readonly BufferHandle[], context: AcquireContext): Task<void> {
    const { resv, services } = this.parts;
    const held: BufferHandle[] = [];
    for (const buffer of buffers) {
      if (held.some(({ slot }) => slot === buffer.slot)) continue;
      // Between two locks a thread may be preempted: whoever else is due at this instant comes first.
      if (held.length > 0) yield* sleepUntil(services.clock.now(), 'the next lock', EventClass.SourceHandOver);
      for (const from of held) this.#record(lane, from, buffer);
      yield* attempt(() => resv.lockPlainStep(buffer.slot, context));
      held.push(buffer);
    }
  }

  #record(lane: number, from: BufferHandle, to: BufferHandle): void {
    const key = `${lane} ${from.slot}/${from.life} ${to.slot}/${to.life}`;
    if (this.#known.has(key)) return;
    this.#known.add(key);
    this.parts.orders.record({ lane, life: this.parts.life, from, to, atNs: this.parts.now() });
  }
}
