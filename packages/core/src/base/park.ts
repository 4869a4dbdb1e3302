/**
 * What a generator hands to its runtime when it has to wait, and the loop that all waiting goes through.
 *
 * Shape (docs/decisions/0001): functions that touch shared words are synchronous try-steps. A try-step returns its
 * result or a `WordPark`; it has no other effect when it returns a `WordPark`. One loop, `attempt`, yields the park and
 * tries again, so that the same code runs in a worker thread, on the virtual clock and under an explorer.
 */
import type { Nanoseconds, WordIndex } from './brand.js';
import { EventClass } from './clock.js';

/** Wait until a word no longer holds the value that was seen, or until a time. Resumed with true, or false if late. */
export class WordPark {
  readonly kind = 'word';
  constructor(
    readonly word: WordIndex,
    readonly expected: number,
    /** What is being waited for, for the watchdog and the trace; a constant string on hot paths. */
    readonly what: string,
    readonly untilNs: Nanoseconds = Number.POSITIVE_INFINITY,
    /** The class of the event that a time-out is. */
    readonly timeoutClass: EventClass = EventClass.Completion,
  ) {}
}

/** Wait until a time. */
export class TimePark {
  readonly kind = 'time';
  constructor(
    readonly untilNs: Nanoseconds,
    readonly what: string,
    readonly eventClass: EventClass = EventClass.Completion,
  ) {}
}

/** Wait for the answer to a control call. Resumed with the answer, or the error is thrown into the generator. */
export class ReplyPark {
  readonly kind = 'reply';
  constructor(
    readonly start: (settle: ReplySettle) => void,
    readonly what: string,
  ) {}
}
export interface ReplySettle {
  resolve(value: unknown): void;
  reject(error: Error): void;
  /** The number of the call, for whoever serves it; absent where the runtime does not number calls. */
  readonly call?: number;
  /** The number of the generator that serves the call; not told where the runtime does not know it. */
  servedBy?(generator: number): void;
}

/** Wait for a promise of the outside world. The virtual runtime stops the clock until all of them have settled. */
export class ExternalPark {
  readonly kind = 'external';
  constructor(
    readonly promise: PromiseLike<unknown>,
    readonly what: string,
  ) {}
}

export type Park = WordPark | TimePark | ReplyPark | ExternalPark;

/** A generator that waits by yielding parks; what `yield*` returns is typed by `T`. */
// biome-ignore lint/suspicious/noExplicitAny: what a runtime sends in depends on the park, which the helpers below type
export type Task<T = void> = Generator<Park, T, any>;

/** The outcome of a bounded wait that ran out of time. */
export const TIMED_OUT: unique symbol = Symbol('timed out');
export type TimedOut = typeof TIMED_OUT;

/** Repeats a try-step until it has a result. Every wait for a shared word goes through here. */
export function* attempt<T>(step: () => T | WordPark): Task<T> {
  for (;;) {
    const result = step();
    if (!(result instanceof WordPark)) return result;
    yield result;
  }
}

/** As `attempt`, but gives up at a time. The step is tried once more when time is up, so a result is never missed. */
export function* attemptUntil<T>(
  step: () => T | WordPark,
  untilNs: Nanoseconds,
  timeoutClass: EventClass = EventClass.Completion,
): Task<T | TimedOut> {
  let late = false;
  for (;;) {
    const result = step();
    if (!(result instanceof WordPark)) return result;
    if (late) return TIMED_OUT;
    const woken: boolean = yield new WordPark(result.word, result.expected, result.what, untilNs, timeoutClass);
    late = !woken;
  }
}

/** Waits until an instant of model time. */
export function* sleepUntil(
  untilNs: Nanoseconds,
  what: string,
  eventClass: EventClass = EventClass.Completion,
): Task<void> {
  yield new TimePark(untilNs, what, eventClass);
}

/** Waits for a promise of the outside world: a file, a native encoder. */
export function* external<T>(promise: PromiseLike<T>, what: string): Task<T> {
  const value: T = yield new ExternalPark(promise, what);
  return value;
}
