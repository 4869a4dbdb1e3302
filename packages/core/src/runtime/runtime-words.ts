/**
 * The runtime's own words: stop, start, progress and life.
 *
 * Layout    word   name      written by          meaning
 *           0      STOP      the runtime         1 when sources are to stop
 *           1      READY     every actor         actors whose set-up is done
 *           2      START     the runtime         1 once all are ready and model time has begun
 *           3      REACHED   sources, runtime    model time reached, in whole milliseconds (unpaced runs only); grows
 *           4      SHUTDOWN  the runtime         1 once every actor that does not only serve has ended
 *           5,6    EPOCH     the runtime         monotonic clock at the start in ns, low and high word; before START
 *           16+i   DEATHS i  the runtime         deaths of actor i; its life number is that of deaths before it
 *           144+i  RECLAIMED i the reclaimer     deaths of actor i whose holdings have been taken back; follows DEATHS i
 *           272+i  BEAT i    actor i             grows while the actor's thread serves its events (threads only)
 *           These three are rare, so that actors may share lines.
 *
 * Each wait parks on the word it has loaded; each store is followed by a notify, so no wake-up is lost. EPOCH is plain
 * data published by START (store EPOCH, then START; a reader loads START first).
 * Crash     DEATHS grows only once the actor can touch no word any more. A reclaimer that dies leaves RECLAIMED behind
 *           DEATHS, and whoever comes after it does all of it again: the next life of one that resumes is told of all such deaths
 *           by the runtime, and counts its own death as reclaimed when it has rebuilt what it needs. A source may die between its store of
 *           REACHED and its notify: whoever reclaims it notifies again (`wakeForTime`), since others raise the time only further. BEAT is only ever a reason to report, never to reclaim.
 */
import { type ActorId, type AtomicWords, type Nanoseconds, WordPark, wordIndex } from '../base/index.js';

const STOP = wordIndex(0);
const READY = wordIndex(1);
const START = wordIndex(2);
const REACHED = wordIndex(3);
const SHUTDOWN = wordIndex(4);
const EPOCH_LO = wordIndex(5);
const EPOCH_HI = wordIndex(6);
const DEATHS = 16;
const RECLAIMED = 144;
const BEAT = 272;
const NS_PER_MS = 1_000_000;
const END_OF_TIME_MS = 0x7fff_ffff;

/** Words at the start of the control memory that belong to the runtime; the caller's tables come after. */
export const RUNTIME_WORDS = 16 + 3 * 128;

export class RuntimeWords {
  readonly stopWord = STOP;

  constructor(private readonly words: AtomicWords) {}

  /** Tells sources to stop, and whoever waits for a scenario event that it will not come. */
  stop(): void {
    this.words.store(STOP, 1);
    this.words.notify(STOP);
    this.words.store(REACHED, END_OF_TIME_MS);
    this.words.notify(REACHED);
  }

  get stopped(): boolean {
    return this.words.load(STOP) !== 0;
  }

  /** Counts an actor as ready. */
  countReady(): void {
    this.words.add(READY, 1);
    this.words.notify(READY);
  }

  readyStep(count: number): true | WordPark {
    const ready = this.words.load(READY);
    return ready >= count ? true : new WordPark(READY, ready, 'the set-up of all actors');
  }

  start(epochNs: bigint): void {
    this.words.store(EPOCH_LO, Number(BigInt.asIntN(32, epochNs)));
    this.words.store(EPOCH_HI, Number(epochNs >> 32n));
    this.words.store(START, 1);
    this.words.notify(START);
  }

  startStep(): true | WordPark {
    return this.words.load(START) === 1 ? true : new WordPark(START, 0, 'the start of the run');
  }

  /** Whether model time has begun. */
  get started(): boolean {
    return this.words.load(START) === 1;
  }

  /** The monotonic clock at the start; undefined before it. */
  epochNs(): bigint | undefined {
    if (this.words.load(START) === 0) return undefined;
    return (BigInt(this.words.load(EPOCH_HI)) << 32n) + BigInt(this.words.load(EPOCH_LO) >>> 0);
  }

  shutDown(): void {
    this.words.store(SHUTDOWN, 1);
    this.words.notify(SHUTDOWN);
  }

  shutdownStep(): true | WordPark {
    return this.words.load(SHUTDOWN) === 1 ? true : new WordPark(SHUTDOWN, 0, 'calls');
  }

  /** Raises the model time reached. */
  reach(timeNs: Nanoseconds): void {
    const ms = Math.min(END_OF_TIME_MS, Math.floor(timeNs / NS_PER_MS));
    for (;;) {
      const seen = this.words.load(REACHED);
      if (seen >= ms) return;
      if (this.words.compareExchange(REACHED, seen, ms) === seen) break;
    }
    this.words.notify(REACHED);
  }

  /** Raises the model time reached to the first of these instants that is ahead. @returns whether one is @param timesNs ascending */
  reachNext(timesNs: readonly Nanoseconds[]): boolean {
    const reachedNs = this.words.load(REACHED) * NS_PER_MS;
    const nextNs = timesNs.find((timeNs) => timeNs > reachedNs);
    if (nextNs === undefined) return false;
    this.reach(Math.ceil(nextNs / NS_PER_MS) * NS_PER_MS);
    return true;
  }

  /** Wakes whoever waits for a time that is reached: for an actor that has died before it could. By its reclaimer. */
  wakeForTime(): void {
    this.words.notify(REACHED);
  }

  /** The model time reached, in whole milliseconds; unpaced runs only. */
  get reachedMs(): number {
    return this.words.load(REACHED);
  }

  reachedStep(timeNs: Nanoseconds): true | WordPark {
    const ms = this.words.load(REACHED);
    return ms * NS_PER_MS >= timeNs ? true : new WordPark(REACHED, ms, 'a scenario event');
  }

  /** Counts a death. Only once the actor is not stepped any more. */
  countDeath(actor: ActorId): void {
    this.words.add(wordIndex(DEATHS + actor), 1);
    this.words.notify(wordIndex(DEATHS + actor));
  }

  deaths(actor: ActorId): number {
    return this.words.load(wordIndex(DEATHS + actor));
  }

  /** Try-step: until an actor has died in or before a life. */
  deathStep(actor: ActorId, life: number): 'dead' | WordPark {
    const word = wordIndex(DEATHS + actor);
    const deaths = this.words.load(word);
    return deaths > life ? 'dead' : new WordPark(word, deaths, 'the death of a peer');
  }

  /** Says that all that an actor held at its deaths so far has been taken back. */
  countReclaimed(actor: ActorId, deaths: number): void {
    this.words.store(wordIndex(RECLAIMED + actor), deaths);
    this.words.notify(wordIndex(RECLAIMED + actor));
  }

  /** Deaths of an actor that somebody has cleaned up after. */
  reclaimed(actor: ActorId): number {
    return this.words.load(wordIndex(RECLAIMED + actor));
  }

  /** Deaths of an actor that nobody has cleaned up after. */
  unreclaimed(actor: ActorId): number {
    return this.deaths(actor) - this.reclaimed(actor);
  }

  beat(actor: ActorId): void {
    this.words.add(wordIndex(BEAT + actor), 1);
  }

  beats(actor: ActorId): number {
    return this.words.load(wordIndex(BEAT + actor));
  }
}
