/**
 * Runs the generators of one actor in its own thread.
 *
 * A park on a word becomes `Atomics.waitAsync`, at most one a word: all generators of the actor that sleep on a word
 * share it. A shared wait may have been started on an earlier value; that only wakes too early, since a value that has
 * changed since was followed by a notify, and a wake-up is a hint. Time-outs are timers of their own, so that a wait on
 * a word that hardly ever changes (STOP) is started once and not at every tick.
 */
import {
  type AtomicWords,
  type Clock,
  EventClass,
  fromErrorRecord,
  type Park,
  type Task,
  toErrorRecord,
  type WordIndex,
  type WordPark,
} from '../../base/index.js';
import { advance } from '../advance.js';
import type { Turn } from '../turn.js';
import type { ParkRow } from './park-rows.js';

/** A generator, and what to do when it ends. */
interface Running {
  readonly task: Task<unknown>;
  readonly onDone: (value: unknown) => void;
  readonly onError: (error: Error) => void;
  /** Grows at each park; a wake-up for an earlier one is void. */
  parks: number;
  /** Where it tells what it waits in; absent = nobody looks. */
  readonly row: ParkRow | undefined;
}

const NS_PER_MS = 1_000_000;
/** What is told of a promise of the outside world that has not come for long: it may never. */
export interface LongWaits {
  /** How long it is waited for before, in milliseconds of real time. */
  readonly afterMs: number;
  /** @param what it is, as whoever waits for it has said */
  tell(what: string): void;
}

/** The longest delay a timer of the host takes. */
const MAX_TIMER_MS = 2_147_483_647;

export class ThreadScheduler {
  readonly #sleepers = new Map<WordIndex, { running: Running; parks: number }[]>();
  readonly #waiting = new Set<WordIndex>();
  /** The number of the generator that is being stepped; 0 = it has none. */
  generatorNow = 0;

  constructor(
    private readonly actor: string,
    private readonly words: AtomicWords,
    private readonly clock: Clock,
    private readonly turn: Turn,
    /** `max`: modelled times pass at once, only real work takes time. */
    private readonly pace: 'real' | 'max',
    /** Whether its timers keep the process alive. */
    private readonly keepsAlive = true,
    /** Absent = nobody is told. */
    private readonly longWaits?: LongWaits,
  ) {}

  /** @param row of the generator, begun before anybody waits for it */
  start(task: Task<unknown>, onDone: (value: unknown) => void, onError: (error: Error) => void, row?: ParkRow): void {
    const running: Running = { task, onDone, onError, parks: 0, row };
    this.#resume(running, 0, undefined);
  }

  #resume(running: Running, parks: number, value: unknown, error?: Error): void {
    if (running.parks !== parks) return;
    running.parks += 1;
    running.row?.run();
    const before = this.generatorNow;
    this.generatorNow = running.row?.number ?? 0;
    this.turn.during(this.actor, () => this.#step(running, value, error));
    this.generatorNow = before;
  }

  #step(running: Running, value: unknown, error: Error | undefined): void {
    try {
      const result = advance(running.task, this.words, value, error);
      if (result.done === true) {
        running.row?.end();
        running.onDone(result.value);
      } else this.#park(running, result.value);
    } catch (caught) {
      running.row?.fail();
      running.onError(caught instanceof Error ? caught : new Error(String(caught)));
    }
  }

  #park(running: Running, park: Park): void {
    const { parks } = running;
    const call = running.row?.park(park, this.#passesAtOnce(park));
    if (park.kind === 'word') this.#sleep(running, park);
    else if (park.kind === 'time') {
      if (this.pace === 'max') setImmediate(() => this.#resume(running, parks, undefined));
      else this.#at(park.untilNs, () => this.#resume(running, parks, undefined));
    } else if (park.kind === 'reply') {
      park.start({
        ...(call && { call }),
        resolve: (value) => this.#resume(running, parks, value),
        reject: (error) => this.#resume(running, parks, undefined, error),
      });
    } else {
      const { longWaits } = this;
      const timer = longWaits && setTimeout(() => longWaits.tell(park.what), longWaits.afterMs).unref();
      park.promise.then(
        (value) => {
          clearTimeout(timer);
          this.#resume(running, parks, value);
        },
        (error: unknown) => {
          clearTimeout(timer);
          this.#resume(running, parks, undefined, fromErrorRecord(toErrorRecord(error)));
        },
      );
    }
  }

  #sleep(running: Running, park: WordPark): void {
    const { parks } = running;
    if (park.untilNs !== Number.POSITIVE_INFINITY) {
      const late = (): void => this.#resume(running, parks, false);
      if (this.#passesAtOnce(park)) setImmediate(late);
      else this.#at(park.untilNs, late);
    }
    const sleepers = this.#sleepers.get(park.word);
    if (sleepers === undefined) this.#sleepers.set(park.word, [{ running, parks }]);
    else {
      // A generator that timed out and parks again on the same word (a tick waiting for STOP) replaces its old entry.
      const own = sleepers.findIndex((sleeper) => sleeper.running === running);
      if (own >= 0) sleepers[own] = { running, parks };
      else sleepers.push({ running, parks });
    }
    if (!this.#waiting.has(park.word)) this.#wait(park.word, park.expected);
  }

  /** Whether it is a wait for modelled time, where that is not paced. */
  #passesAtOnce(park: Park): boolean {
    if (park.kind !== 'word' || park.untilNs === Number.POSITIVE_INFINITY) return false;
    return this.pace === 'max' && park.timeoutClass === EventClass.Source;
  }

  #wait(word: WordIndex, expected: number): void {
    const wait = this.words.waitAsync(word, expected, Number.POSITIVE_INFINITY);
    this.#waiting.add(word);
    const wake = (): void => {
      this.#waiting.delete(word);
      const sleepers = this.#sleepers.get(word) ?? [];
      this.#sleepers.delete(word);
      for (const { running, parks } of sleepers) this.#resume(running, parks, true);
    };
    if (wait.async) void wait.value.then(wake);
    else queueMicrotask(wake);
  }

  /** Calls back at a time, never before it; the timers of the host are good to a millisecond. */
  #at(untilNs: number, callBack: () => void): void {
    const nowNs = this.clock.now();
    const delayMs = Math.ceil((untilNs - nowNs) / NS_PER_MS);
    // A host timer may fire a fraction of a millisecond early: look again before it counts. Before the start of the run the
    // clock stands still, and the delay is all there is.
    const isEarly = (): boolean => this.clock.now() < untilNs && this.clock.now() !== nowNs;
    const fire = (): void => (isEarly() || delayMs > MAX_TIMER_MS ? this.#at(untilNs, callBack) : callBack());
    if (delayMs <= 0) setImmediate(callBack);
    else {
      const timer = setTimeout(fire, Math.min(delayMs, MAX_TIMER_MS));
      if (!this.keepsAlive) timer.unref();
    }
  }
}
