/**
 * Jobs of one driver that wait for each other.
 *
 * Layout    one row an actor; word 0  ENDED  grows when a generator started by `parallel` ends
 *
 * Only generators of that actor use its row; the word exists because a wait must be a park.
 */
import { type AtomicWords, type TableRegion, type WordIndex, WordPark, wordAt } from '../base/index.js';

/** Words of one actor. */
export const JOB_ROW_WORDS = 16;

export class JobWords {
  readonly #ended: WordIndex;

  constructor(
    private readonly words: AtomicWords,
    table: TableRegion,
    row: number,
  ) {
    this.#ended = wordAt(table, row, 0);
  }

  countEnded(): void {
    this.words.add(this.#ended, 1);
    this.words.notify(this.#ended);
  }

  /** Try-step: until a condition holds that changes only when a generator ends. */
  whenStep(condition: () => boolean): true | WordPark {
    const seen = this.words.load(this.#ended);
    return condition() ? true : new WordPark(this.#ended, seen, 'its own generators to end');
  }
}
