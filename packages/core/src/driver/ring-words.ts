/**
 * Rings: frames on their way from one producer to one consumer.
 *
 * Layout    word  name     written by      meaning
 *           0     TAIL     the producer    frames pushed << 1 | closed
 *           1     PUSHING  the producer    pushes under way: decided about or being done, one a lane
 *           16    HEAD     both, by CAS    frames taken; the producer takes too where it may drop the oldest
 *           17    ENABLED  the consumer    1 while the consumer wants frames
 *           32+4i ENTRY i  the producer    (frame, time of push low, high, 0)
 *           Counts are taken modulo 2^30. TAIL and HEAD lie on lines of their own.
 *
 * Invariants
 *   I1  HEAD <= TAIL <= HEAD + depth; entry HEAD mod depth is not written again before HEAD has passed it.
 *   I2  Each pushed frame is taken exactly once: by the consumer or, where the oldest may be dropped, by the producer.
 *   I3  A frame is pushed only if ENABLED was seen 1 after PUSHING was raised and after any wait for room.
 *
 * Pairs     P1 push: ENTRY, store TAIL, notify      with   P2 take: load TAIL, ENTRY, CAS HEAD, notify HEAD
 *           P3 room: load HEAD, park on it          with   P2's CAS and notify
 *           P4 begin: PUSHING +1, load ENABLED      with   P5 disable: ENABLED 0, load PUSHING, park on it
 *
 * No lost wake-up   Each side parks on the very value it has loaded, and each change of TAIL, HEAD and PUSHING is
 *           followed by a notify. P4/P5 is a store-load pair on both sides: either the producer sees ENABLED 0 and does
 *           not push, or the consumer sees PUSHING above 0 and waits, draining meanwhile, until each push is in the ring.
 * ABA       A CAS on HEAD could be fooled only by 2^30 takes between its load and itself.
 * Crash     A dead consumer: its ring is disabled and drained by the reclaimer. A dead producer: its ring is closed.
 * Shown by  tests/unit/core/driver/ring-words.test.ts, tests/race/ring.test.ts.
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

const TAIL = 0;
const PUSHING = 1;
const HEAD = 16;
const ENABLED = 17;
const ENTRIES = 32;
const ENTRY_WORDS = 4;
const COUNT_MASK = 0x3fff_ffff;
const TWO_32 = 4_294_967_296;

/** Words of a ring of a given depth. */
export function ringRowWords(depth: number): number {
  return Math.ceil((ENTRIES + depth * ENTRY_WORDS) / LINE_WORDS) * LINE_WORDS;
}

export interface RingEntry {
  readonly frame: number;
  readonly pushedNs: number;
}

/** The end of a ring: closed by its producer and empty. */
export const RING_ENDED: unique symbol = Symbol('ring ended');

export class RingWords {
  readonly #tail: WordIndex;
  readonly #pushing: WordIndex;
  readonly #head: WordIndex;
  readonly #enabled: WordIndex;

  constructor(
    private readonly words: AtomicWords,
    private readonly table: TableRegion,
    readonly depth: number,
  ) {
    this.#tail = wordAt(table, 0, TAIL);
    this.#pushing = wordAt(table, 0, PUSHING);
    this.#head = wordAt(table, 0, HEAD);
    this.#enabled = wordAt(table, 0, ENABLED);
  }

  get length(): number {
    return ((this.words.load(this.#tail) >>> 1) - this.words.load(this.#head)) & COUNT_MASK;
  }

  // ---- the producer's side ----

  /** Begins a push: whether the consumer wants frames. Must be followed by `endPush`. */
  beginPush(): boolean {
    this.words.add(this.#pushing, 1); // P4
    return this.wanted;
  }

  /** Whether the consumer wants frames now. To be asked again after a wait for room. */
  get wanted(): boolean {
    return this.words.load(this.#enabled) === 1;
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
    return ((pushed - head) & COUNT_MASK) + promised < this.depth
      ? true
      : new WordPark(this.#head, head, 'room in a queue'); // P3
  }

  /** Pushes a frame. Only after `roomStep` has found room, between `beginPush` and `endPush`. */
  push(frame: number, nowNs: number): void {
    const tail = this.words.load(this.#tail);
    const pushed = tail >>> 1;
    assert(tail % 2 === 0, 'a closed ring takes no more frames');
    assert(((pushed - this.words.load(this.#head)) & COUNT_MASK) < this.depth, 'I1 of rings: there is room');
    const entry = this.#entry(pushed);
    this.words.store(entry, frame);
    this.words.store((entry + 1) as WordIndex, (nowNs % TWO_32) | 0);
    this.words.store((entry + 2) as WordIndex, Math.floor(nowNs / TWO_32));
    this.words.store(this.#tail, ((pushed + 1) & COUNT_MASK) << 1); // P1
    this.words.notify(this.#tail, Wake.HandOver);
  }

  /** Ends the ring: the consumer gets what is in it, then its end. */
  close(): void {
    const tail = this.words.load(this.#tail);
    if (tail % 2 !== 0) return;
    this.words.store(this.#tail, tail + 1);
    this.words.notify(this.#tail, Wake.HandOver);
  }

  // ---- both sides ----

  /** Takes the oldest frame, if there is one and it suits. */
  tryTake(suits: (frame: number) => boolean = () => true): RingEntry | undefined {
    for (;;) {
      const head = this.words.load(this.#head);
      const pushed = this.words.load(this.#tail) >>> 1; // P2
      if (((pushed - head) & COUNT_MASK) === 0) return undefined;
      const entry = this.#entry(head);
      const frame = this.words.load(entry);
      const low = this.words.load((entry + 1) as WordIndex) >>> 0;
      const pushedNs = this.words.load((entry + 2) as WordIndex) * TWO_32 + low;
      if (this.words.load(this.#head) !== head) continue;
      if (!suits(frame)) return undefined;
      if (this.words.compareExchange(this.#head, head, (head + 1) & COUNT_MASK) !== head) continue; // I2
      this.words.notify(this.#head);
      return { frame, pushedNs };
    }
  }

  // ---- the consumer's side ----

  /** Try-step: takes the oldest frame, or tells the end. */
  takeStep(): RingEntry | typeof RING_ENDED | WordPark {
    const tail = this.words.load(this.#tail);
    const entry = this.tryTake();
    if (entry !== undefined) return entry;
    return tail % 2 !== 0 ? RING_ENDED : new WordPark(this.#tail, tail, 'a frame');
  }

  /** Whether its producer has closed it and it is empty. */
  get ended(): boolean {
    return this.words.load(this.#tail) % 2 !== 0 && this.length === 0;
  }

  /** Wakes the consumer's own wait for a frame, so that it looks whether it is to end. */
  nudge(): void {
    this.words.notify(this.#tail);
  }

  enable(): void {
    this.words.store(this.#enabled, 1);
  }

  /** Begins to disable: no further push begins. Then drain, and wait with `quietStep`. */
  disable(): void {
    this.words.store(this.#enabled, 0); // P5
  }

  /** Try-step: until no push is under way. The ring may hold one more frame then. */
  quietStep(): true | WordPark {
    const pushing = this.words.load(this.#pushing);
    return pushing === 0 ? true : new WordPark(this.#pushing, pushing, 'the end of a push');
  }

  #entry(count: number): WordIndex {
    return wordAt(this.table, 0, ENTRIES + (count % this.depth) * ENTRY_WORDS);
  }
}
