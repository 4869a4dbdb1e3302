import { type Nanoseconds, ReplyPark, type Task } from '../../base/index.js';
import type { Fence } from './fence.js';

/**
 * How a wait gets its time-out: has a call made at a time, in nanoseconds of model time, and gives what cancels it.
 * Whoever keeps the time supplies it: a runtime, a simulated kernel, a test.
 */
export type Alarm = (atNs: Nanoseconds, ring: () => void) => () => void;

/** How long to wait at most. */
export interface WaitLimit {
  /** Absolute, in nanoseconds of model time. */
  readonly untilNs: Nanoseconds;
  readonly alarm: Alarm;
}

/**
 * Waits for a fence.
 *
 * @param what what is waited for, for whoever asks why nothing moves
 * @param limit without it, as long as it takes
 * @returns 1 when it signalled, the negative errno that it signalled with, or 0 when time ran out first
 * Source: dma_fence_wait_timeout, v6.12. Differs: a status and not the time left; time is absolute.
 */
export function* waitFenceObject(fence: Fence, what: string, limit?: WaitLimit): Task<number> {
  yield* waitFor(
    (wake) => fence.tryAddCallback(wake),
    (callback) => fence.removeCallback(callback),
    what,
    limit,
  );
  return fence.status;
}

/**
 * Waits until something calls, or until a time.
 *
 * @param start registers the call to make; undefined means that there is nothing to wait for
 * @param cancel takes back what `start` gave; after it no call comes
 * @returns false when time ran out
 */
export function* waitFor<Entry>(
  start: (wake: () => void) => Entry | undefined,
  cancel: (entry: Entry) => void,
  what: string,
  limit?: WaitLimit,
): Task<boolean> {
  let outcome: boolean | undefined;
  let resume: (inTime: boolean) => void = () => {};
  const end = (inTime: boolean): void => {
    if (outcome !== undefined) return;
    outcome = inTime;
    resume(inTime);
  };
  const entry = start(() => end(true));
  if (entry === undefined) return true;
  let unset: (() => void) | undefined;
  try {
    const inTime: boolean = yield new ReplyPark(({ resolve }) => {
      if (outcome !== undefined) return resolve(outcome); // called before it came to park
      unset = limit?.alarm(limit.untilNs, () => end(false));
      resume = resolve;
    }, what);
    return inTime;
  } finally {
    unset?.();
    cancel(entry);
  }
}
