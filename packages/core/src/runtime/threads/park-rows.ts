/** An actor's side of `ParkWords`: a row for each of its generators, as long as there are any. */
import type { ActorId, Park } from '../../base/index.js';
import { NEVER, PARK_ROWS, type ParkWords, type RowContents, RowKind, RowState } from './park-words.js';
import { MAX_TEXT_LENGTH, MAX_TEXTS } from './worker-protocol.js';

const NS_PER_MS = 1_000_000;
const OTHER_TEXTS = 'something';

export class ParkRows {
  readonly #free: number[] = [];
  #taken = 0;
  readonly #texts = new Map<string, number>();

  /** @param tellText tells the main thread what a number means, before it stands in a row */
  constructor(
    private readonly words: ParkWords,
    private readonly actor: ActorId,
    private readonly tellText: (number: number, text: string) => void,
  ) {}

  /** A generator is about to be started. @param serves the number of the call that it serves; 0 = none */
  begin(name: string, serves = 0): ParkRow {
    const row = this.#free.pop() ?? (this.#taken < PARK_ROWS ? this.#taken++ : -1);
    const number = this.words.nextNumber();
    if (row < 0) this.words.countRowless(this.actor, 1);
    else this.words.take(this.actor, row, { number, name: this.textNumber(name), serves });
    return new ParkRow(this, this.words, this.actor, row, number, serves);
  }

  /** A message of the runtime has been dealt with: what it starts has rows. */
  received(): void {
    this.words.received(this.actor);
  }

  /** @internal */
  giveBack(row: number): void {
    if (row < 0) this.words.countRowless(this.actor, -1);
    else {
      this.words.move(this.actor, row, RowState.Free);
      this.#free.push(row);
    }
  }

  /** @internal */
  textNumber(text: string): number {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    // More than a program has names and reasons to wait: the others are told as the last of them.
    const isOther = this.#texts.size >= MAX_TEXTS - 1 && text !== OTHER_TEXTS;
    if (isOther) return this.textNumber(OTHER_TEXTS);
    const number = this.#texts.size + 1;
    this.#texts.set(text, number);
    this.tellText(number, String(text).slice(0, MAX_TEXT_LENGTH)); // a driver's own words may be anything
    return number;
  }
}

/** What one generator tells of itself. */
export class ParkRow {
  #ended = false;

  constructor(
    private readonly rows: ParkRows,
    private readonly words: ParkWords,
    private readonly actor: ActorId,
    private readonly row: number,
    /** Of the generator. */
    readonly number: number,
    private readonly serves: number,
  ) {}

  /**
   * It has yielded a park.
   *
   * @param endsByItself whether it is resumed at once, whatever the park says
   * @returns the number of the call that the park makes; 0 where it makes none
   */
  park(park: Park, endsByItself: boolean): number {
    if (this.row < 0) return 0;
    const call = park.kind === 'reply' ? this.words.nextNumber() : 0;
    this.words.park(this.actor, this.row, endsByItself ? ENDS_BY_ITSELF : this.#contents(park, call));
    return call;
  }

  /** It is about to be stepped. */
  run(): void {
    if (this.row >= 0) this.words.move(this.actor, this.row, RowState.Running);
  }

  /** It has ended; before anybody learns of it. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.rows.giveBack(this.row);
  }

  /** It has thrown: of one that serves a call that is the answer. Any other is the end of its actor, and runs until then. */
  fail(): void {
    if (this.serves !== 0) this.end();
  }

  #contents(park: Park, call: number): RowContents {
    if (park.kind === 'word') {
      const { word, expected, untilNs } = park;
      const untilMs = Math.min(NEVER, Math.ceil(untilNs / NS_PER_MS));
      return { kind: RowKind.Word, what: this.rows.textNumber(park.what), word, expected, untilMs, call };
    }
    if (park.kind !== 'reply') return ENDS_BY_ITSELF;
    return { ...ENDS_BY_ITSELF, kind: RowKind.Reply, what: this.rows.textNumber(park.what), call };
  }
}

const ENDS_BY_ITSELF: RowContents = { kind: RowKind.EndsByItself, what: 0, word: 0, expected: 0, untilMs: 0, call: 0 };
