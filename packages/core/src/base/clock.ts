import type { Nanoseconds } from './brand.js';

/**
 * The four classes of events at one instant of model time: a lower class runs first, and first in first out within a
 * class. A lower class raised at the same instant runs next.
 */
export const EventClass = {
  /** Completions, releases, signals, time-outs. */
  Completion: 0,
  /** Hand-over to idle consumers, and control messages. */
  HandOver: 1,
  /** Source ticks and vblanks. */
  Source: 2,
  /** Hand-over of what a source tick or a vblank produced. */
  SourceHandOver: 3,
} as const;
export type EventClass = (typeof EventClass)[keyof typeof EventClass];

/** What a runtime knows of time. */
export interface Clock {
  /** Model time since the start of the run, in integer nanoseconds. */
  now(): Nanoseconds;
}

export const NS_PER_SECOND = 1_000_000_000;

/** A rate as a rational number of events per second, e.g. 30000/1001. */
export interface Rate {
  readonly num: number;
  readonly den: number;
}

/**
 * The instant of tick `n` of a source: floor(n * 10^9 * den / num), never accumulated, so that the long-term rate is
 * exact. Exact for any n with n * den < 2^53 by splitting off whole seconds first.
 *
 * Source: the frame index of drivers/media/test-drivers/vivid/vivid-kthread-cap.c (v6.12) is computed likewise.
 */
export function tickTime(n: number, rate: Rate): Nanoseconds {
  const scaled = n * rate.den;
  const seconds = Math.floor(scaled / rate.num);
  const rest = scaled - seconds * rate.num;
  return seconds * NS_PER_SECOND + Math.floor((rest * NS_PER_SECOND) / rate.num);
}

/** The first tick of a source at or after an instant. */
export function firstTickAt(time: Nanoseconds, rate: Rate): number {
  let n = Math.max(0, Math.floor((time / NS_PER_SECOND) * (rate.num / rate.den)) - 1);
  while (tickTime(n, rate) < time) n += 1;
  return n;
}
