/**
 * Reservation objects: implicit fences on a buffer, under a wait-die lock.
 *
 * Source: drivers/dma-buf/dma-resv.c, v6.12. Arrays, chains and the iteration over containers are built above.
 */
import { attempt, type BufferSlot, ErrnoError, type Nanoseconds, type Task } from '../base/index.js';
import { type DmaFence, fenceStatus, waitFence, waitFenceUntil } from './dma-fence.js';
import { type AcquireContext, RESV_SLOTS, ResvUsage, type ResvWords } from './resv-words.js';
import type { TimelineWords } from './timeline-words.js';

/** The usage that a user of a buffer waits for before it starts. Source: dma_resv_usage_rw, v6.12. */
export function usageToWaitFor(write: boolean): ResvUsage {
  return write ? ResvUsage.Read : ResvUsage.Write;
}

/**
 * Locks the reservations of a set of buffers: all or, while it waits, none but one.
 *
 * Wait-die: an older context waits for a younger holder; a younger one that meets an older holder drops all its locks,
 * takes the contended one slowly and starts over. So no two actors can wait for each other.
 *
 * Context: the caller holds no reservation lock; may wait.
 */
export function* lockReservations(
  resv: ResvWords,
  buffers: readonly BufferSlot[],
  context: AcquireContext,
): Task<void> {
  let slow: BufferSlot | undefined;
  for (;;) {
    const held: BufferSlot[] = [];
    if (slow !== undefined) {
      const first: BufferSlot = slow;
      yield* attempt(() => resv.lockSlowStep(first, context));
      held.push(first);
    }
    const contended: BufferSlot | undefined = yield* lockRest(resv, buffers, context, held);
    if (contended === undefined) return;
    for (const buffer of held) resv.unlock(buffer, context);
    slow = contended;
  }
}

/** Locks a set if nobody is in the way; else nothing. The common case, without waiting. */
export function tryLockReservations(resv: ResvWords, buffers: readonly BufferSlot[], context: AcquireContext): boolean {
  for (let i = 0; i < buffers.length; i += 1) {
    if (resv.lockStep(buffers[i], context) === 'locked') continue;
    for (let held = 0; held < i; held += 1) resv.unlock(buffers[held], context);
    return false;
  }
  return true;
}

function* lockRest(
  resv: ResvWords,
  buffers: readonly BufferSlot[],
  context: AcquireContext,
  held: BufferSlot[],
): Task<BufferSlot | undefined> {
  for (const buffer of buffers) {
    if (held.includes(buffer)) continue;
    let outcome = resv.lockStep(buffer, context);
    if (typeof outcome !== 'string') outcome = yield* attempt(() => resv.lockStep(buffer, context));
    if (outcome === 'EDEADLK') return buffer;
    if (outcome === 'locked') held.push(buffer);
  }
  return undefined;
}

export class DmaResv {
  /** Slots promised by `reserveFences` and not yet used; void after unlock, as in Linux. */
  #reserved = 0;

  constructor(
    private readonly resv: ResvWords,
    private readonly timelines: TimelineWords,
    readonly buffer: BufferSlot,
  ) {}

  /**
   * Makes room for fences, so that `addFence` cannot fail. Source: dma_resv_reserve_fences, v6.12.
   *
   * Context: the lock is held.
   * @throws ErrnoError ENOMEM when not even dropping the signalled ones makes room
   */
  reserveFences(count: number): void {
    const wanted = this.#reserved + count;
    if (this.resv.usedSlots(this.buffer) + wanted > RESV_SLOTS) {
      const pending = this.#pendingSlots();
      if (pending + wanted > RESV_SLOTS) {
        throw new ErrnoError(
          'ENOMEM',
          'dma_resv_reserve_fences',
          `Cannot reserve ${count} fences on buffer ${this.buffer}: ${pending} of ${RESV_SLOTS} slots hold pending fences`,
          { buffer: this.buffer, pending },
        );
      }
    }
    this.#reserved += count;
  }

  /**
   * Adds a fence. A fence of the same context at the same or a weaker usage is replaced (promotion, never degradation).
   * Source: dma_resv_add_fence, v6.12.
   *
   * Context: the lock is held and a slot is reserved.
   */
  addFence(fence: DmaFence, usage: ResvUsage): void {
    const found = this.resv.findSlot(this.buffer, fence, usage);
    if (found === undefined) this.resv.setSlot(this.buffer, this.#freeSlot(), usage, fence);
    else if (fence.seqno >= found.seqno) this.resv.setSlot(this.buffer, found.slot, usage, fence);
    this.#reserved = Math.max(0, this.#reserved - 1);
  }

  /** Pending fences up to a usage, read without the lock. */
  *pending(upTo: ResvUsage): Task<DmaFence[]> {
    const fences = yield* attempt(() => this.resv.snapshotStep(this.buffer));
    const pending: DmaFence[] = [];
    for (const { usage, fence } of fences) {
      if (usage <= upTo && fenceStatus(this.timelines, fence) === 0) pending.push(fence);
    }
    return pending;
  }

  /** Whether every fence up to a usage is signalled; a wait-free look. Source: dma_resv_test_signaled, v6.12. */
  testSignalled(upTo: ResvUsage): boolean {
    const pending = this.resv.someFence(this.buffer, upTo, (timeline, generation, seqno) => {
      return this.timelines.status(timeline, generation, seqno) === 0;
    });
    return pending === false;
  }

  /** Waits for all fences up to a usage, those added meanwhile included. Source: dma_resv_wait_timeout, v6.12. */
  *wait(upTo: ResvUsage, what: string): Task<void> {
    for (;;) {
      const pending = yield* this.pending(upTo);
      if (pending.length === 0) return;
      for (const fence of pending) yield* waitFence(this.timelines, fence, what);
    }
  }

  /** As `wait`, but not beyond a time, nor once `isOver` is true when a timeline wakes its waiters. @throws ErrnoError ETIMEDOUT */
  *waitUntil(upTo: ResvUsage, untilNs: Nanoseconds, what: string, isOver: () => boolean = () => false): Task<void> {
    for (;;) {
      const pending = yield* this.pending(upTo);
      if (pending.length === 0) return;
      for (const fence of pending) {
        yield* waitFenceUntil(this.timelines, fence, untilNs, what, isOver);
        if (isOver()) return;
      }
    }
  }

  #pendingSlots(): number {
    return this.resv.fences(this.buffer).filter(({ fence }) => fenceStatus(this.timelines, fence) === 0).length;
  }

  #freeSlot(): number {
    const used = this.resv.usedSlots(this.buffer);
    if (used < RESV_SLOTS) return used;
    const over = this.resv.fences(this.buffer).find(({ fence }) => fenceStatus(this.timelines, fence) !== 0);
    if (over !== undefined) return over.slot;
    throw new ErrnoError('ENOMEM', 'dma_resv_add_fence', `Cannot add a fence to buffer ${this.buffer}: none reserved`);
  }
}
