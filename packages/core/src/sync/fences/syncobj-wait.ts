import { ErrnoError, type Nanoseconds, type Task } from '../../base/index.js';
import type { Fence, FenceCallback } from './fence.js';
import { type WaitLimit, waitFor } from './fence-wait.js';
import type { SubmissionWaiter, SyncObject } from './syncobj.js';

/** What is waited for: a point of a sync object; 0 is the fence it holds. */
export interface SyncPoint {
  readonly syncObject: SyncObject;
  readonly point: number;
}

/** Source: DRM_SYNCOBJ_WAIT_FLAGS_*, v6.12. All are off by default. */
export interface SyncWaitOptions {
  /** Wait for all; else for any. */
  readonly all?: boolean;
  /** Wait for points without a fence until they have one; else they are EINVAL. */
  readonly forSubmit?: boolean;
  /** Wait until points have a fence, and not for its signal. */
  readonly available?: boolean;
  /** A deadline to hint on the fences, in nanoseconds of model time. */
  readonly deadlineNs?: Nanoseconds;
}

interface Entry extends SyncPoint {
  /** Taken once and kept: a later reset or exchange is not seen. */
  fence: Fence | undefined;
  callback: FenceCallback | undefined;
  waiter: SubmissionWaiter | undefined;
}

/**
 * One wait for several points: it has registered itself and says when it is over.
 *
 * It waits for the fences that the points have when they are first seen. Time is up when its user calls `expire`.
 *
 * Context: owner-actor; never blocks, so that a synchronous kernel can use it as well as a generator.
 * Source: drm_syncobj_array_wait_timeout, v6.12.
 */
export class SyncObjectWait {
  readonly #entries: readonly Entry[];
  #first: number | undefined;
  #complete = false;
  #over = false;
  #tell: (() => void) | undefined;

  /** @throws ErrnoError EINVAL when a point has no fence, with neither `forSubmit` nor `available` */
  constructor(
    points: readonly SyncPoint[],
    private readonly options: SyncWaitOptions = {},
  ) {
    this.#entries = points.map((point) => this.#enter(point));
    if (this.#firstLook()) this.#finish();
    else this.#begin();
  }

  /** Whether it is over because what was waited for has happened. */
  get isComplete(): boolean {
    return this.#complete;
  }

  /**
   * The index of a point that was done: of an `any` wait the lowest found when it completed. Of an `all` wait, and of one
   * without points, it means little and may be undefined, as in Linux.
   */
  get first(): number | undefined {
    return this.#first;
  }

  /** Calls once, when it completes; at once if it has. Not after `expire` or `cancel`. */
  whenComplete(tell: () => void): void {
    if (this.#complete) tell();
    else if (!this.#over) this.#tell = tell;
  }

  /**
   * Time is up: looks once more, then ends the wait.
   *
   * @returns as `first`
   * @throws ErrnoError ETIME when it is not complete
   */
  expire(): number | undefined {
    this.#look();
    if (this.#complete) return this.#first;
    this.cancel();
    throw new ErrnoError(
      'ETIME',
      'drm_syncobj_array_wait_timeout',
      `Cannot wait longer for ${this.options.all === true ? 'all' : 'any'} of ${this.#entries.length} points: time is up`,
    );
  }

  /** Ends the wait without a result. */
  cancel(): void {
    this.#over = true;
    this.#tell = undefined;
    for (const entry of this.#entries) {
      if (entry.callback !== undefined) entry.fence?.removeCallback(entry.callback);
      if (entry.waiter !== undefined) entry.syncObject.forgetSubmission(entry.waiter);
    }
  }

  get #acceptsUnsubmitted(): boolean {
    return this.options.forSubmit === true || this.options.available === true;
  }

  #enter({ syncObject, point }: SyncPoint): Entry {
    const isMissing = this.#acceptsUnsubmitted && !syncObject.isSubmitted(point);
    const fence = isMissing ? undefined : syncObject.findFence(point);
    return { syncObject, point, fence, callback: undefined, waiter: undefined };
  }

  /** Looks without registering anything. @returns whether that is enough */
  #firstLook(): boolean {
    let done = 0;
    this.#entries.forEach(({ fence }, index) => {
      if (fence === undefined || !(this.options.available === true || fence.isSignalled())) return;
      this.#first ??= index;
      done += 1;
    });
    return done === this.#entries.length || (done > 0 && this.options.all !== true);
  }

  #begin(): void {
    for (const entry of this.#entries) if (entry.fence === undefined) this.#awaitSubmission(entry);
    const { deadlineNs } = this.options;
    if (deadlineNs !== undefined) for (const { fence } of this.#entries) fence?.setDeadline(deadlineNs);
    this.#look();
  }

  #awaitSubmission(entry: Entry): void {
    entry.waiter = entry.syncObject.whenSubmitted(entry.point, (fence) => {
      entry.fence = fence;
      entry.waiter = undefined;
      this.#look();
    });
  }

  #look(): void {
    let done = 0;
    for (let index = 0; index < this.#entries.length && !this.#over; index += 1) {
      if (!this.#isDone(this.#entries[index])) continue;
      done += 1;
      if (this.options.all === true) continue;
      if (!this.#over) this.#first = index;
      break;
    }
    const enough = this.options.all === true ? done === this.#entries.length : done > 0;
    if (enough && !this.#over) this.#finish();
  }

  #isDone(entry: Entry): boolean {
    const { fence } = entry;
    if (fence === undefined) return false;
    if (this.options.available === true || fence.isSignalled()) return true;
    if (entry.callback !== undefined) return false;
    entry.callback = fence.tryAddCallback(() => this.#look());
    return entry.callback === undefined;
  }

  #finish(): void {
    const tell = this.#tell;
    this.#complete = true;
    this.cancel();
    tell?.();
  }
}

/**
 * Waits for points of sync objects.
 *
 * @param limit without it, as long as it takes
 * @returns as `SyncObjectWait.first`
 * @throws ErrnoError EINVAL when a point has no fence, with neither `forSubmit` nor `available`; ETIME when time runs out
 * Source: drm_syncobj_array_wait, v6.12.
 */
export function* waitSyncObjects(
  points: readonly SyncPoint[],
  options: SyncWaitOptions,
  what: string,
  limit?: WaitLimit,
): Task<number | undefined> {
  const wait = new SyncObjectWait(points, options);
  try {
    const start = (wake: () => void): SyncObjectWait | undefined => {
      if (wait.isComplete) return undefined;
      wait.whenComplete(wake);
      return wait;
    };
    const inTime = yield* waitFor(start, () => {}, what, limit);
    return inTime ? wait.first : wait.expire();
  } finally {
    wait.cancel();
  }
}
