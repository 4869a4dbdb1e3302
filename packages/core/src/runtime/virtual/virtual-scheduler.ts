/**
 * Runs the generators of all actors on one clock of model time: what `ThreadScheduler` does for one actor in its thread.
 *
 * Every wake-up is an event, so the order of everything is the order of (time, class, first in first out), whatever the
 * machine does.
 */
import {
  type AtomicWords,
  EventClass,
  type Nanoseconds,
  type Park,
  type RandomStream,
  type ReplyPark,
  Wake,
  type WordIndex,
  type WordPark,
} from '../../base/index.js';
import { advance } from '../advance.js';
import type { Turn } from '../turn.js';
import { EventQueue, type TimedEvent } from './event-queue.js';
import { Externals } from './externals.js';
import { Fingerprint } from './fingerprint.js';
import type { OutsideWait } from './outside-watch.js';
import type { Running } from './running.js';
import { Sleepers } from './sleepers.js';

interface RuntimeEvent extends TimedEvent {
  readonly running: Running;
  readonly parks: number;
  readonly value: unknown;
  readonly error?: Error;
}

/** What it tells the runtime. */
export interface SchedulerHost {
  /** A generator has thrown. */
  onFailure(running: Running, failure: Error): void;
  /** The time-out of a wait is next. */
  beforeTimeOut(running: Running): void;
  /** An event is next. */
  beforeEvent?(timeNs: Nanoseconds, eventClass: EventClass, running: Running): void;
}

export class VirtualScheduler {
  /** Model time. */
  now: Nanoseconds = 0;
  /** The generator that is being stepped, or was last: its number. */
  generatorNow = 0;
  readonly #events = new EventQueue<RuntimeEvent>();
  readonly #sleepers = new Sleepers();
  readonly #externals = new Externals();
  readonly #fingerprint = new Fingerprint();
  #class: EventClass = EventClass.Completion;

  /** @param ties permutes events of equal time and class; absent = first in, first out */
  constructor(
    private readonly words: AtomicWords,
    private readonly turn: Turn,
    private readonly host: SchedulerHost,
    private readonly ties: RandomStream | undefined,
  ) {}

  /** Of all events so far, in their order. */
  get fingerprint(): string {
    return this.#fingerprint.toString();
  }

  /** Whether anybody waits for a promise of the outside world; the clock stands still then. */
  get awaitsOutside(): boolean {
    return this.#externals.size > 0;
  }

  /** Who waits for what of the outside world. */
  get outsideWaits(): OutsideWait[] {
    return this.#externals.waits;
  }

  get hasEvents(): boolean {
    return this.#events.size > 0;
  }

  /** When the next event is to come; undefined when there is none. Drops those that nobody waits for any more. */
  nextNs(): Nanoseconds | undefined {
    for (let event = this.#events.peek(); event !== undefined; event = this.#events.peek()) {
      if (event.parks === event.running.parks && !event.running.actor.dead) return event.timeNs;
      this.#events.pop();
    }
    return undefined;
  }

  /** Lets the promises settle. The order of calls decides the order of resumption. */
  async settleOutside(): Promise<void> {
    await this.#externals.settle((running, value, error) => {
      this.#schedule(running, this.now, EventClass.Completion, value, error);
    });
  }

  /** Puts the first step of a generator among the events of this instant. */
  start(running: Running): void {
    this.#schedule(running, this.now, EventClass.HandOver, undefined);
  }

  /** Takes the next event and does it, if its generator still waits for it. @returns false when there is none */
  runNext(): boolean {
    const event = this.#events.pop();
    if (event === undefined) return false;
    const { running } = event;
    const { actor } = running;
    if (event.parks !== running.parks || actor.dead) return true;
    if (actor.pausedUntilNs > event.timeNs) {
      if (actor.pausedUntilNs < Number.POSITIVE_INFINITY) this.#events.push({ ...event, timeNs: actor.pausedUntilNs });
      return true;
    }
    if (event.value === false) this.host.beforeTimeOut(running);
    this.now = event.timeNs;
    this.#class = event.eventClass;
    this.#fingerprint.add(event.timeNs);
    this.#fingerprint.add(event.eventClass * 65_536 + running.number);
    this.host.beforeEvent?.(event.timeNs, event.eventClass, running);
    this.#resume(running, event.value, event.error);
    return true;
  }

  /** Turns a notify into one event for each sleeper. */
  wake(word: WordIndex, wake: Wake): void {
    const eventClass = this.#wakeClass(wake);
    this.#sleepers.wake(word, (running) => this.#schedule(running, this.now, eventClass, true));
  }

  /** What a source tick or a vblank hands over comes after all of them. */
  #wakeClass(wake: Wake): EventClass {
    if (wake === Wake.Release) return EventClass.Completion;
    return this.#class >= EventClass.Source ? EventClass.SourceHandOver : EventClass.HandOver;
  }

  #resume(running: Running, value: unknown, error: Error | undefined): void {
    running.parks += 1;
    running.waiting = undefined;
    this.generatorNow = running.number;
    const before = this.turn.enter(running.actor.name);
    this.#step(running, value, error);
    this.turn.leave(before);
  }

  /** Steps a generator until it has to wait. */
  #step(running: Running, value: unknown, error: Error | undefined): void {
    try {
      const result = advance(running.task, this.words, value, error);
      if (result.done === true) running.onDone(result.value);
      else this.#park(running, result.value);
    } catch (caught) {
      const failure = caught instanceof Error ? caught : new Error(String(caught));
      if (running.onError !== undefined) running.onError(failure);
      else this.host.onFailure(running, failure);
    }
  }

  #park(running: Running, park: Park): void {
    running.waiting = park;
    running.waitingSinceNs = this.now;
    if (park.kind === 'word') this.#sleep(running, park);
    else if (park.kind === 'time') {
      this.#schedule(running, Math.max(park.untilNs, this.now), park.eventClass, undefined);
    } else if (park.kind === 'reply') this.#awaitReply(running, park);
    else this.#externals.add(running, park);
  }

  #sleep(running: Running, park: WordPark): void {
    this.#sleepers.add(park.word, running);
    if (park.untilNs !== Number.POSITIVE_INFINITY) {
      this.#schedule(running, Math.max(park.untilNs, this.now), park.timeoutClass, false);
    }
  }

  #awaitReply(running: Running, park: ReplyPark): void {
    const { parks } = running;
    running.servedBy = 0;
    park.start({
      servedBy: (generator) => {
        running.servedBy = generator;
      },
      resolve: (value) => this.#reply(running, parks, value),
      reject: (error) => this.#reply(running, parks, undefined, error),
    });
  }

  #reply(running: Running, parks: number, value: unknown, error?: Error): void {
    if (running.parks === parks) this.#schedule(running, this.now, EventClass.HandOver, value, error);
  }

  #schedule(running: Running, timeNs: Nanoseconds, eventClass: EventClass, value: unknown, error?: Error): void {
    const tie = this.ties === undefined ? 0 : this.ties.uniform();
    this.#events.push({ timeNs, eventClass, tie, order: 0, running, parks: running.parks, value, error });
  }
}
