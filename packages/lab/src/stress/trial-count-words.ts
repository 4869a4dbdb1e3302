/**
 * Counts of trials that go on in a pool: what each has come to so far, for the line that the process shows which started them.
 *
 * Purpose   A worker that steps a trial in virtual time sends nothing before the trial is over.
 * Layout    table   row                   words
 *           places  a place in the pool   0 OPERATIONS, 1 MOVES, 2 DEATHS, 3 VIOLATIONS, 4 OVERDUE of the trial that runs there
 * Written   A row by the worker that runs the trial of that place, which only raises it: a trial that is executed twice counts once.
 *   by      While none does, the process that started the trials empties it.
 * Progress  Wait-free. Nobody sleeps on these words; a sum may be of rows of slightly different instants.
 * Shown by  tests/stress/live-line.test.ts.
 */
import { AtomicWords, sharedBytes, type TableRegion, WordLayout, wordAt } from '@dmabuf-lab/core/base';
import type { LiveCounts } from './live-line.js';

const COLUMN = { operations: 0, moves: 1, deaths: 2, violations: 3, overdue: 4 } as const;
const NAMES = Object.keys(COLUMN) as (keyof LiveCounts)[];

/** Where the counts lie: plain data, the same for every worker, and the memory itself. */
export interface TrialCountBoard {
  readonly memory: SharedArrayBuffer;
  readonly places: TableRegion;
}

/** @param places trials that go on at once */
export function trialCountBoard(places: number): TrialCountBoard {
  const layout = new WordLayout();
  const table = layout.table(places, 16);
  return { places: table, memory: sharedBytes(layout.sizeBytes, 'the counts of trials') };
}

export class TrialCountWords {
  readonly #words: AtomicWords;

  constructor(private readonly board: TrialCountBoard) {
    this.#words = new AtomicWords(board.memory);
  }

  raise(place: number, counts: LiveCounts): void {
    for (const name of NAMES) {
      const word = wordAt(this.board.places, place, COLUMN[name]);
      if (counts[name] > this.#words.load(word)) this.#words.store(word, counts[name]);
    }
  }

  /** The trial of a place is over. */
  clear(place: number): void {
    for (const name of NAMES) this.#words.store(wordAt(this.board.places, place, COLUMN[name]), 0);
  }

  /** Of all places together. */
  sum(): LiveCounts {
    const total = { operations: 0, moves: 0, deaths: 0, violations: 0, overdue: 0 };
    for (let place = 0; place < this.board.places.rows; place += 1) {
      for (const name of NAMES) total[name] += this.#words.load(wordAt(this.board.places, place, COLUMN[name]));
    }
    return total;
  }
}
