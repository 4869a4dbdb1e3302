/**
 * The runtime's own words: stop, start, progress and life.
 *
 * Layout    word   name      written by          meaning
 *           0      STOP      the runtime         1 when sources are to stop
 *           1      READY     every actor         actors whose set-up is done
 *           2      START     the runtime         1 once all are ready and model time has begun
 *           3      REACHED   sources             model time reached, in whole milliseconds (unpaced runs only); grows
 *           4      SHUTDOWN  the runtime         1 once every actor that does not only serve has ended
 *           5,6    EPOCH     the runtime         monotonic clock at the start in ns, low and high word; before START
 *           16+i   DEAD i    the runtime         1 once actor i has exited; on a line with others, since it is rare
 *
 * Each wait parks on the word it has loaded; each store is followed by a notify, so no wake-up is lost. EPOCH is plain
 * data published by START (store EPOCH, then START; a reader loads START first).
 */
import { type ActorId, type AtomicWords, type Nanoseconds, WordPark, wordIndex } from '../base/index.js';

const STOP = wordIndex(0);
const READY = wordIndex(1);
const START = wordIndex(2);
const REACHED = wordIndex(3);
const SHUTDOWN = wordIndex(4);
const EPOCH_LO = wordIndex(5);
const EPOCH_HI = wordIndex(6);
const DEAD = 16;
const NS_PER_MS = 1_000_000;
const END_OF_TIME_MS = 0x7fff_ffff;

/** Words at the start of the control memory that belong to the runtime; the caller's tables come after. */
export const RUNTIME_WORDS = 16 + 128;

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
    const ms = Math.floor(timeNs / NS_PER_MS);
    for (;;) {
      const seen = this.words.load(REACHED);
      if (seen >= ms) return;
      if (this.words.compareExchange(REACHED, seen, ms) === seen) break;
    }
    this.words.notify(REACHED);
  }

  reachedStep(timeNs: Nanoseconds): true | WordPark {
    const ms = this.words.load(REACHED);
    return ms * NS_PER_MS >= timeNs ? true : new WordPark(REACHED, ms, 'a scenario event');
  }

  markDead(actor: ActorId): void {
    this.words.store(wordIndex(DEAD + actor), 1);
    this.words.notify(wordIndex(DEAD + actor));
  }

  aliveStep(actor: ActorId): 'dead' | WordPark {
    const word = wordIndex(DEAD + actor);
    return this.words.load(word) === 1 ? 'dead' : new WordPark(word, 0, 'the death of a peer');
  }
}
