/**
 * What each generator of the threads runtime waits in, told by its worker, so that the main thread sees who waits for whom.
 *
 * Purpose   Naming deadlocks (`deadlock-look.ts`). Nothing else depends on these words: they lie in a memory of their own.
 *
 * Layout    word          name        written by       meaning
 *           0             NUMBERS     every worker     numbers given so far, to generators and to calls; it only grows
 *           then for each actor, in lines of 16 words, a head and its rows
 *           head 0        RECEIVED    its worker       messages of the runtime that it has dealt with in this life
 *           head 1        USED        its worker       rows from here on have never been taken; it never falls
 *           head 2        ROWLESS     its worker       generators without a row (the low 16 bits), and a count of changes
 *           row  0        SERIAL      its worker       4 n + state: 0 FREE, 1 RUNNING, 2 PARKED; n grows at each change
 *           row  1,2      NUMBER,NAME its worker       of the generator; the name as a number of a text
 *           row  3        SERVES      its worker       the call that it serves; 0 = none
 *           row  4,5      KIND,WHAT   its worker       0 ends by itself, 1 a word, 2 a reply; a number of a text
 *           row  6-8      WORD, EXPECTED, UNTIL        of a wait for a word; model time in ms, or NEVER
 *           row  9        CALL        its worker       the number of the call whose reply it waits for
 *
 * States    FREE -> RUNNING  before the generator is first stepped, and before whoever starts it parks or answers
 *           RUNNING -> PARKED  it has yielded a park: it does nothing more until it is stepped
 *           PARKED -> RUNNING  before it is stepped again
 *           RUNNING -> FREE    it has ended, and before its answer is posted. One that failed and serves nobody stays RUNNING:
 *                              its actor is about to be ended.
 *           The main thread frees all rows of an actor that has died (`reset`), before its next life starts.
 *
 * Invariants
 *   I1  While a row is PARKED its generator touches no word. I2  A generator that has been started and has not ended has a
 *       row that is not FREE, or is counted by ROWLESS. I3  SERIAL and ROWLESS never come back to a value that they had (n has
 *       30 bits, the changes 16: a look takes less than a millisecond).
 *
 * Pairs     P1 park: contents, then SERIAL  with  P2 look: SERIAL, then contents, and later SERIAL again
 *           P3 resume: SERIAL, then the step  with  P2
 *
 * Why no deadlock is named that is none. The look reads all rows (first pass), then asks the words who can end each wait,
 * then reads again the rows of those it found stuck (second pass), and counts only what is unchanged. Let T be an instant between the passes:
 *   - Each of them was PARKED with these contents at T (P1, I3), all at once, and the word that it waits for held what it
 *     expects in the second pass. A word that was left and came back in between wakes its sleeper for nothing.
 *   - A park that is told and not yet slept in: the generator has yielded (I1); if the word has changed by then the word tells.
 *   - A reply on its way: the generator that served the call has left PARKED before it answers, so no parked one serves it. A call
 *     on its way: no generator serves it yet. In both cases the caller counts as one that can go on.
 *   - A generator that is started between the passes: by a generator of the same actor, which was RUNNING then, so its SERIAL
 *     tells; by a message of the runtime, such as a death to clean up after: the actor can go on as long as
 *     RECEIVED is behind what was posted to it; or by a call: an actor that others call never counts as stuck as a whole.
 *     Where all generators of an actor are awaited, the second pass looks at all of its rows, free ones and ROWLESS included.
 *   - Who can end a wait is read between the passes. It changes only by acts of those who can end it, who are all parked, or by
 *     a reclaim after a death, and who is dead or ending counts as able to go on.
 *   - A time-out that is due: from UNTIL on the wait counts as one that ends by itself.
 *   - A thread that is blocked by a pause has a message that it has not dealt with (RECEIVED). One that blocks by itself is
 *     inside a step: RUNNING.
 * And a deadlock is told only when the next look finds it with the same SERIALs.
 *
 * Progress  Nobody waits for anybody; a worker stores, the look loads.
 * Crash     A worker that dies leaves its rows as they are. They are not read once the runtime has ended it or seen its exit.
 * Shown by  tests/race/park-rows.test.ts, tests/unit/core/runtime/park-words.test.ts, tests/scenarios/deadlocks.test.ts.
 */
import { type ActorId, type AtomicWords, assert, type WordIndex, wordIndex } from '../../base/index.js';

const NUMBERS = wordIndex(0);
const RECEIVED = 0;
const USED = 1;
const ROWLESS = 2;
const SERIAL = 0;
const NUMBER = 1;
const NAME = 2;
const SERVES = 3;
const KIND = 4;
const WHAT = 5;
const WORD = 6;
const EXPECTED = 7;
const UNTIL = 8;
const CALL = 9;

const LINE = 16;
const ROWLESS_COUNT = 0xffff;
/** Generators of one actor that have a row at a time; beyond, the actor counts as one that can go on. */
export const PARK_ROWS = 64;
const ACTOR_WORDS = LINE * (1 + PARK_ROWS);

/** UNTIL of a wait without a time-out. */
export const NEVER = 0x7fff_ffff;
export const RowState = { Free: 0, Running: 1, Parked: 2 } as const;
export type RowState = (typeof RowState)[keyof typeof RowState];
export const RowKind = { EndsByItself: 0, Word: 1, Reply: 2 } as const;
export type RowKind = (typeof RowKind)[keyof typeof RowKind];

/** What a parked generator waits in. */
export interface RowContents {
  readonly kind: RowKind;
  readonly what: number;
  readonly word: number;
  readonly expected: number;
  readonly untilMs: number;
  readonly call: number;
}

/** Who a generator is: the names are numbers of texts. */
export interface RowOwner {
  readonly number: number;
  readonly name: number;
  readonly serves: number;
}

/** What must not change while an actor counts as stuck as a whole. */
export interface ActorState {
  readonly received: number;
  readonly rowless: number;
  /** Of each row that was ever taken. */
  readonly serials: readonly number[];
}

/** The rows of all actors. Never waits for anybody; an actor's own rows are written by its worker alone. */
export class ParkWords {
  /** @param words a memory of their own, of `sizeBytes`, zeroed at the start of the run */
  constructor(private readonly words: AtomicWords) {}

  /** The size of the memory, a multiple of 64 bytes. @param last the highest number of an actor */
  static sizeBytes(last: number): number {
    return (LINE + (last + 1) * ACTOR_WORDS) * 4;
  }

  // ---- workers ----

  /** A number that no other generator and no other call of the run has; from 1. Context: any worker. */
  nextNumber(): number {
    return this.words.add(NUMBERS, 1) + 1;
  }

  /** One more message of the runtime has been dealt with. Context: the worker of the actor, once what the message started has a row. */
  received(actor: ActorId): void {
    this.words.add(this.#head(actor, RECEIVED), 1);
  }

  /**
   * A generator without a row begins, or ends.
   *
   * Context: the worker of the actor; at most 65,535 of them at a time.
   */
  countRowless(actor: ActorId, change: 1 | -1): void {
    this.words.add(this.#head(actor, ROWLESS), ROWLESS_COUNT + 1 + change); // I3
  }

  /**
   * Takes a row: its generator runs from here on.
   *
   * Context: the worker of the actor, before the generator's first step.
   *
   * @param row from 0, below `PARK_ROWS`, FREE
   */
  take(actor: ActorId, row: number, { number, name, serves }: RowOwner): void {
    if (row >= this.words.load(this.#head(actor, USED))) this.words.store(this.#head(actor, USED), row + 1);
    this.words.store(this.#at(actor, row, NUMBER), number);
    this.words.store(this.#at(actor, row, NAME), name);
    this.words.store(this.#at(actor, row, SERVES), serves);
    this.move(actor, row, RowState.Running);
  }

  /**
   * A generator has yielded a park.
   *
   * Context: the worker of the actor, after the step and before it sleeps. The row is RUNNING.
   *
   * @param row from 0, below `PARK_ROWS`
   */
  park(actor: ActorId, row: number, { kind, what, word, expected, untilMs, call }: RowContents): void {
    this.words.store(this.#at(actor, row, KIND), kind);
    if (kind !== RowKind.EndsByItself) this.words.store(this.#at(actor, row, WHAT), what);
    if (kind === RowKind.Word) {
      this.words.store(this.#at(actor, row, WORD), word);
      this.words.store(this.#at(actor, row, EXPECTED), expected);
      this.words.store(this.#at(actor, row, UNTIL), untilMs);
    } else if (kind === RowKind.Reply) this.words.store(this.#at(actor, row, CALL), call);
    this.move(actor, row, RowState.Parked); // P1
  }

  /**
   * Changes the state of a row.
   *
   * Context: the worker of the actor, or the main thread after its death.
   *
   * @param row from 0, below `PARK_ROWS`
   * @param state to RUNNING before a step, to FREE before an answer is posted
   */
  move(actor: ActorId, row: number, state: RowState): void {
    const word = this.#at(actor, row, SERIAL);
    this.words.store(word, (((this.words.load(word) >> 2) + 1) << 2) | state); // P3, I3
  }

  // ---- the main thread ----

  /** Forgets what a dead actor has left. Context: main thread, after the exit of its worker and before its next life. */
  reset(actor: ActorId): void {
    const used = this.words.load(this.#head(actor, USED));
    for (let row = 0; row < used; row += 1) this.move(actor, row, RowState.Free);
    const rowless = this.words.load(this.#head(actor, ROWLESS));
    this.words.store(this.#head(actor, ROWLESS), (rowless & ~ROWLESS_COUNT) + ROWLESS_COUNT + 1);
    this.words.store(this.#head(actor, RECEIVED), 0);
  }

  /** What an actor's head and all its rows hold, word by word: they may change in between. Context: main thread. */
  state(actor: ActorId): ActorState {
    const received = this.words.load(this.#head(actor, RECEIVED));
    const rowless = this.words.load(this.#head(actor, ROWLESS));
    const used = this.words.load(this.#head(actor, USED));
    const serials = Array.from({ length: used }, (_, row) => this.serial(actor, row));
    return { received, rowless, serials };
  }

  /** The SERIAL of a row (`rowState` tells its state). Context: main thread. @param row from 0, below `PARK_ROWS` */
  serial(actor: ActorId, row: number): number {
    return this.words.load(this.#at(actor, row, SERIAL));
  }

  /** Whose row it is, as of a SERIAL that is the same before and after. Context: main thread. @param row from 0, below `PARK_ROWS` */
  owner(actor: ActorId, row: number): RowOwner {
    const at = (column: number): number => this.words.load(this.#at(actor, row, column));
    return { number: at(NUMBER), name: at(NAME), serves: at(SERVES) };
  }

  /** What its generator waits in: only of a PARKED row, and as `owner`. Context: main thread. @param row from 0, below `PARK_ROWS` */
  contents(actor: ActorId, row: number): RowContents {
    const at = (column: number): number => this.words.load(this.#at(actor, row, column));
    const kind = rowKind(at(KIND));
    return { kind, what: at(WHAT), word: at(WORD), expected: at(EXPECTED), untilMs: at(UNTIL), call: at(CALL) };
  }

  #head(actor: ActorId, column: number): WordIndex {
    return wordIndex(LINE + actor * ACTOR_WORDS + column);
  }

  #at(actor: ActorId, row: number, column: number): WordIndex {
    if (row < 0 || row >= PARK_ROWS) assert(false, `row ${row} is one of ${PARK_ROWS}`);
    return wordIndex(LINE + actor * ACTOR_WORDS + LINE * (1 + row) + column);
  }
}

/** The state in a SERIAL. */
export function rowState(serial: number): number {
  return serial & 3;
}

/** Whether some generators have no row. */
export function hasRowless({ rowless }: ActorState): boolean {
  return (rowless & ROWLESS_COUNT) !== 0;
}

function rowKind(kind: number): RowKind {
  return kind === RowKind.Word || kind === RowKind.Reply ? kind : RowKind.EndsByItself;
}
