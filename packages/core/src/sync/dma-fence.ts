import {
  attempt,
  attemptUntil,
  ERRNO,
  type ErrnoCode,
  ErrnoError,
  type Nanoseconds,
  type Task,
  TIMED_OUT,
  type TimelineSlot,
} from '../base/index.js';
import type { TimelineWords } from './timeline-words.js';

/**
 * A fence: a point on a timeline. Plain data, so it travels with a frame, in a reservation or in a message.
 *
 * Source: struct dma_fence (context, seqno), include/linux/dma-fence.h, v6.12. Differs: it is a value, has no reference
 * count and no callbacks; whoever waits does so on the timeline's word.
 */
export interface DmaFence {
  readonly timeline: TimelineSlot;
  readonly generation: number;
  readonly seqno: number;
}

/** 0 pending, 1 signalled, negative errno when it ended with an error. Source: dma_fence_get_status, v6.12. */
export function fenceStatus(timelines: TimelineWords, fence: DmaFence): number {
  return timelines.status(fence.timeline, fence.generation, fence.seqno);
}

/**
 * Waits for a fence.
 *
 * Context: may wait; holding a reservation lock is allowed, since nothing on the way to a signal takes one.
 * @returns 1 when it was signalled, or the negative errno that it ended with
 */
export function* waitFence(timelines: TimelineWords, fence: DmaFence, what: string): Task<number> {
  const status = fenceStatus(timelines, fence);
  if (status !== 0) return status;
  return yield* attempt(() => timelines.step(fence.timeline, fence.generation, fence.seqno, what));
}

/**
 * Waits for a fence, but not beyond a time. Source: dma_fence_wait_timeout, v6.12.
 *
 * @param isOver whether nobody needs it any more; looked at whenever the timeline wakes its waiters (`TimelineWords.wake`)
 * @returns its status, 0 while it is pending and the wait is over
 * @throws ErrnoError ETIMEDOUT when the fence is still pending at that time
 */
export function* waitFenceUntil(
  timelines: TimelineWords,
  fence: DmaFence,
  untilNs: Nanoseconds,
  what: string,
  isOver: () => boolean = () => false,
): Task<number> {
  const status = yield* attemptUntil(
    () => (isOver() ? 0 : timelines.step(fence.timeline, fence.generation, fence.seqno, what)),
    untilNs,
  );
  if (status !== TIMED_OUT) return status;
  throw new ErrnoError('ETIMEDOUT', 'dma_fence_wait_timeout', `Cannot wait longer for ${what}: it is still pending`, {
    timeline: fence.timeline,
    seqno: fence.seqno,
  });
}

/** The owner's side of a timeline: hands out points and signals them in order. */
export class Timeline {
  #last = 0;
  readonly generation: number;

  constructor(
    private readonly timelines: TimelineWords,
    readonly slot: TimelineSlot,
  ) {
    timelines.open(slot);
    this.generation = timelines.generation(slot);
  }

  /** The next point: pending until it is signalled. */
  next(): DmaFence {
    this.#last += 1;
    return { timeline: this.slot, generation: this.generation, seqno: this.#last };
  }

  /** Whether somebody has given it up, since its words were overwritten: its points have ended with EIO. */
  get isCondemned(): boolean {
    return this.timelines.failure(this.slot) !== 0;
  }

  /** Signals a point and, as points of one timeline are ordered, all before it. A point that has ended stays as it is. */
  signal(fence: DmaFence, error?: ErrnoCode): void {
    if (this.isCondemned) return;
    this.timelines.signal(this.slot, fence.seqno, error === undefined ? 0 : ERRNO[error]);
  }

  /** Points handed out and not signalled. */
  get pending(): number {
    return this.isCondemned ? 0 : this.#last - this.timelines.signalledSeqno(this.slot);
  }
}
