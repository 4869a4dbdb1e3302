/**
 * Rings: frames on their way from one producer to one consumer.
 *
 * Layout    word  name     written by      meaning
 *           0     TAIL     the producer    frames pushed << 1 | closed
 *           1     PUSHING  the producer    pushes under way: decided about or being done, one a lane
 *           2,3   INTENT   the producer    journal of a push: frame + 1, or 0; and the count at which it will lie
 *           4,5   DROP     the producer    journal of a drop: frame + 1, or 0; and the count at which it lies
 *           16    HEAD     both, by CAS    frames taken; the producer takes too where it may drop the oldest
 *           17    ENABLED  the consumer    1 while the consumer wants frames
 *           32+4i ENTRY i  the producer    (frame, time of push low, high, count << 2 | taker)
 *                          both, by CAS    taker: 0 nobody yet, 1 the consumer, 2 the producer
 *           last two GUARD   exporter        say nothing (dma-buf/row-guards.ts)
 *           Counts are taken modulo the largest multiple of the depth that 30 bits hold, so that the entry after the last
 *           is the first also where they wrap. TAIL and HEAD lie on lines of their own.
 *
 * Invariants
 *   I1  HEAD <= TAIL <= HEAD + depth; entry HEAD mod depth is not written again before HEAD has passed it.
 *   I2  Each pushed frame is taken exactly once: by the consumer or, where the oldest may be dropped, by the producer: who
 *       changes the taker of its entry has it. HEAD follows, moved by the taker or by whoever finds it behind.
 *   I3  A frame is pushed only if ENABLED was seen 1 after PUSHING was raised and after any wait for room.
 *
 * Pairs     P1 push: ENTRY, store TAIL, notify      with   P2 take: load TAIL, ENTRY, CAS its taker, HEAD, notify HEAD
 *           P3 room: load HEAD, park on it          with   P2's move of HEAD and notify
 *           P4 begin: PUSHING +1, load ENABLED      with   P5 disable: ENABLED 0, load PUSHING, park on it
 *
 * No lost wake-up   Each side parks on the very value it has loaded, and each change of TAIL, HEAD and PUSHING is
 *           followed by a notify. P4/P5 is a store-load pair on both sides: either the producer sees ENABLED 0 and does
 *           not push, or the consumer sees PUSHING above 0 and waits, draining meanwhile, until each push is in the ring.
 * ABA       The taker's word holds the count, so a CAS cannot hit a later round of the entry, but after 2^30 takes.
 * Crash     A dead consumer: the reclaimer disables the ring, notifies HEAD (the dead may have moved it and not told), drains,
 *           waits until no push is under way, and drains again. A dead producer: INTENT tells of a push that was begun. If
 *           TAIL has not passed its count, the frame never came into the ring. DROP tells of a frame that was to be dropped:
 *           it was if the entry's taker says so, whatever HEAD says. At most one of each, since neither waits inside. Then
 *           PUSHING is set to 0, never subtracted from.
 * Damage    A wild write comes from the end of the row, so the guards go first (driver/wild-write.ts), and nothing restores them. So each
 *           operation loads its words, then looks at the guards, and only then trusts what it has loaded. A ring that was overwritten is
 *           at its end for both: nothing is wanted, pushed or taken, nobody waits for room, for a frame or for the end of a push, and
 *           whoever finds it wakes those who do. Which frames were in it is told by the bits of their holders: a consumer clears its own
 *           when it leaves the link, of all frames but those it still has in its hands. A producer whose push finds the damage after it has
 *           set the link's bit clears that bit; damage that comes later is found by the consumer, which then sees the bit. Of a producer
 *           that has died the journal says nothing any more: the reclaimer clears the link's bit of the frame that was being handed over
 *           (HANDING of frame-words.ts). If the death came just after TAIL, its consumer may have taken that frame before the damage: it
 *           finds, when it lets go, that somebody has done so for it, which is an error only where the ring is whole. The same holds
 *           for a producer that has taken a frame to drop it.
 * Shown by  tests/unit/core/driver/ring-words.test.ts, tests/unit/core/driver/damaged-rows.test.ts, tests/race/ring.test.ts.
 */
import {
  type AtomicWords,
  assert,
  LINE_WORDS,
  type TableRegion,
  Wake,
  type WordIndex,
  WordPark,
  wordAt,
} from '../base/index.js';
import { GUARD_WORDS, type RowGuards } from '../dma-buf/index.js';

const TAIL = 0;
const PUSHING = 1;
const INTENT = 2;
const INTENT_AT = 3;
const DROP = 4;
const DROP_AT = 5;
const HEAD = 16;
const ENABLED = 17;
const ENTRIES = 32;
const ENTRY_WORDS = 4;
const TAKER = 3;
const BY_CONSUMER = 1;
const BY_PRODUCER = 2;
const COUNT_LIMIT = 0x4000_0000;
const TWO_32 = 4_294_967_296;

/** Words of a ring of a given depth. */
export function ringRowWords(depth: number): number {
  return Math.ceil((ENTRIES + depth * ENTRY_WORDS + GUARD_WORDS) / LINE_WORDS) * LINE_WORDS;
}

/** Whose steps can end a wait on a column: of the end of a push its producer's, else those of either end. */
export function ringEndAwaited(column: number): 'producer' | 'either' {
  return column === PUSHING ? 'producer' : 'either';
}

export interface RingEntry {
  readonly frame: number;
  readonly pushedNs: number;
}

/** The end of a ring: closed by its producer and empty. */
export const RING_ENDED: unique symbol = Symbol('ring ended');

export class RingWords {
  readonly #modulus: number;
  readonly #tail: WordIndex;
  readonly #pushing: WordIndex;
  readonly #head: WordIndex;
  readonly #enabled: WordIndex;

  constructor(
    private readonly words: AtomicWords,
    private readonly table: TableRegion,
    readonly depth: number,
    /** Absent = nobody has opened its guards. */
    private readonly guards?: RowGuards,
  ) {
    this.#modulus = Math.floor(COUNT_LIMIT / depth) * depth;
    this.#tail = wordAt(table, 0, TAIL);
    this.#pushing = wordAt(table, 0, PUSHING);
    this.#head = wordAt(table, 0, HEAD);
    this.#enabled = wordAt(table, 0, ENABLED);
  }

  /** Whether somebody has overwritten it: then it is at its end for both sides. */
  get isDamaged(): boolean {
    return this.guards?.isDamaged(0) === true;
  }

  get length(): number {
    const frames = this.#between(this.words.load(this.#head), this.words.load(this.#tail) >>> 1);
    return this.#foundDamaged() ? 0 : frames;
  }

  // ---- the producer's side ----

  /** Begins a push: whether the consumer wants frames. Must be followed by `endPush`. */
  beginPush(): boolean {
    this.words.add(this.#pushing, 1); // P4
    return this.wanted;
  }

  /** Whether the consumer wants frames now. To be asked again after a wait for room. */
  get wanted(): boolean {
    const enabled = this.words.load(this.#enabled);
    return !this.#foundDamaged() && enabled === 1;
  }

  /** Wakes the producer's other lanes that wait for room: one of them has given a promised place back. */
  roomAgain(): void {
    this.words.notify(this.#head);
  }

  endPush(): void {
    this.words.add(this.#pushing, -1);
    this.words.notify(this.#pushing);
  }

  /**
   * Try-step: until there is room for one frame.
   *
   * @param promised frames for which room is promised already
   */
  roomStep(promised = 0): true | WordPark {
    const head = this.words.load(this.#head);
    const pushed = this.words.load(this.#tail) >>> 1;
    if (this.#foundDamaged()) return true;
    return this.#between(head, pushed) + promised < this.depth
      ? true
      : new WordPark(this.#head, head, 'room in a queue'); // P3
  }

  /** Says that a frame is about to be pushed; from here to the push nothing may wait. Only after `roomStep` has found room. */
  intend(frame: number): void {
    this.words.store(this.#word(INTENT_AT), this.words.load(this.#tail) >>> 1);
    this.words.store(this.#word(INTENT), frame + 1);
  }

  /**
   * Pushes a frame. Only after `roomStep` has found room, between `beginPush` and `endPush`.
   *
   * @returns false when the ring was overwritten: the frame is not in it
   */
  push(frame: number, nowNs: number): boolean {
    const tail = this.words.load(this.#tail);
    const head = this.words.load(this.#head);
    if (this.#foundDamaged()) return false;
    const pushed = tail >>> 1;
    assert(tail % 2 === 0, 'a closed ring takes no more frames');
    assert(this.#between(head, pushed) < this.depth, 'I1 of rings: there is room');
    const entry = this.#entry(pushed);
    this.words.store(entry, frame);
    this.words.store((entry + 1) as WordIndex, (nowNs % TWO_32) | 0);
    this.words.store((entry + 2) as WordIndex, Math.floor(nowNs / TWO_32));
    this.words.store((entry + TAKER) as WordIndex, untaken(pushed));
    this.words.store(this.#tail, this.#after(pushed) << 1); // P1
    this.words.store(this.#word(INTENT), 0);
    this.words.notify(this.#tail, Wake.HandOver);
    return true;
  }

  /** Takes the oldest frame, to drop it. Must be followed by `endDrop` once the producer has let go of it. */
  takeToDrop(): RingEntry | undefined {
    return this.#take(
      BY_PRODUCER,
      () => true,
      (head, frame) => {
        this.words.store(this.#word(DROP_AT), head);
        this.words.store(this.#word(DROP), frame + 1);
      },
    );
  }

  endDrop(): void {
    this.words.store(this.#word(DROP), 0);
  }

  /** Ends the ring: the consumer gets what is in it, then its end. */
  close(): void {
    const tail = this.words.load(this.#tail);
    if (tail % 2 !== 0 && !this.#foundDamaged()) return;
    this.words.store(this.#tail, tail + 1);
    this.words.notify(this.#tail, Wake.HandOver);
  }

  // ---- the consumer's side ----

  /** Takes the oldest frame, if there is one and it suits. */
  tryTake(suits: (frame: number) => boolean = () => true): RingEntry | undefined {
    return this.#take(BY_CONSUMER, suits);
  }

  /** Try-step: takes the oldest frame, or tells the end. */
  takeStep(): RingEntry | typeof RING_ENDED | WordPark {
    const tail = this.words.load(this.#tail);
    const entry = this.tryTake();
    if (entry !== undefined) return entry;
    if (this.#foundDamaged()) return RING_ENDED;
    return tail % 2 !== 0 ? RING_ENDED : new WordPark(this.#tail, tail, 'a frame');
  }

  /** Whether its producer has closed it and it is empty. */
  get ended(): boolean {
    const isEmpty = this.words.load(this.#tail) % 2 !== 0 && this.length === 0;
    return this.#foundDamaged() || isEmpty;
  }

  /** Wakes the consumer's own wait for a frame, so that it looks whether it is to end. */
  nudge(): void {
    this.words.notify(this.#tail);
  }

  enable(): void {
    this.words.store(this.#enabled, 1);
  }

  /** Begins to disable: no further push begins, and who waits for room looks again. Then drain, and wait with `quietStep`. */
  disable(): void {
    this.words.store(this.#enabled, 0); // P5
    this.words.notify(this.#head);
  }

  /** Try-step: until no push is under way. The ring may hold one more frame then. */
  quietStep(): true | WordPark {
    const pushing = this.words.load(this.#pushing);
    return pushing === 0 || this.#foundDamaged() ? true : new WordPark(this.#pushing, pushing, 'the end of a push');
  }

  // ---- after a death ----

  /**
   * Ends what a dead producer had begun (crash and damage stories above). Idempotent, if frames are let go of idempotently.
   *
   * @param letGo lets go of a frame that the link holds and that never came into the ring, or was taken out to be dropped
   * @param letGoBegun lets go of what the dead was handing over, as the frames tell: the ring was overwritten
   */
  reclaimProducer(letGo: (frame: number) => void, letGoBegun: () => void): void {
    const intent = this.words.load(this.#word(INTENT));
    if (intent !== 0) {
      const never = this.words.load(this.#word(INTENT_AT)) === this.words.load(this.#tail) >>> 1;
      if (never && !this.#foundDamaged()) letGo(intent - 1);
      this.words.store(this.#word(INTENT), 0);
    }
    const drop = this.words.load(this.#word(DROP));
    if (drop !== 0) {
      const at = this.words.load(this.#word(DROP_AT));
      const taker = this.words.load((this.#entry(at) + TAKER) as WordIndex);
      if (taker === (untaken(at) | BY_PRODUCER) && !this.#foundDamaged()) {
        letGo(drop - 1);
        this.#moveHead(at);
      }
      this.words.store(this.#word(DROP), 0);
    }
    if (this.#foundDamaged()) letGoBegun();
    this.words.store(this.#pushing, 0);
    this.words.notify(this.#pushing);
    this.words.notify(this.#tail); // it may have stored TAIL and not told
  }

  #take(
    taker: typeof BY_CONSUMER | typeof BY_PRODUCER,
    suits: (frame: number) => boolean,
    journal?: (head: number, frame: number) => void,
  ): RingEntry | undefined {
    for (;;) {
      const head = this.words.load(this.#head);
      const pushed = this.words.load(this.#tail) >>> 1; // P2
      if (pushed === head) return undefined;
      const entry = this.#entry(head);
      const frame = this.words.load(entry);
      const low = this.words.load((entry + 1) as WordIndex) >>> 0;
      const pushedNs = this.words.load((entry + 2) as WordIndex) * TWO_32 + low;
      const seen = this.words.load((entry + TAKER) as WordIndex);
      if (this.#foundDamaged()) return undefined;
      if (seen !== untaken(head)) {
        if (seen >> 2 === untaken(head) >> 2) this.#moveHead(head); // its taker has not come to it yet, or died
        continue;
      }
      if (!suits(frame)) return undefined;
      journal?.(head, frame);
      const taken = this.words.compareExchange((entry + TAKER) as WordIndex, seen, seen | taker); // I2
      if (taken !== seen) continue;
      this.#moveHead(head);
      return { frame, pushedNs };
    }
  }

  /** Looks at the guards. Who finds them damaged wakes whoever waits for this ring: nobody else may come to do it. */
  #foundDamaged(): boolean {
    if (!this.isDamaged) return false;
    for (const word of [this.#tail, this.#head, this.#pushing]) this.words.notify(word);
    return true;
  }

  #moveHead(head: number): void {
    this.words.compareExchange(this.#head, head, this.#after(head));
    this.words.notify(this.#head);
  }

  /** Frames between two counts. */
  #between(head: number, tail: number): number {
    return tail >= head ? tail - head : tail - head + this.#modulus;
  }

  #after(count: number): number {
    return count + 1 === this.#modulus ? 0 : count + 1;
  }

  #word(column: number): WordIndex {
    return wordAt(this.table, 0, column);
  }

  #entry(count: number): WordIndex {
    return wordAt(this.table, 0, ENTRIES + ((count >>> 0) % this.depth) * ENTRY_WORDS); // of the table, whatever the count
  }
}

/** What the last word of an entry holds as long as nobody has taken it. */
const untaken = (count: number): number => (count << 2) | 0;
