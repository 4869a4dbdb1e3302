import { assert } from './assert.js';
import { type WordIndex, wordIndex } from './brand.js';

/** Words of one 64-byte line. Tables start on a line, so that two tables never share one. */
export const LINE_WORDS = 16;

/** Where a table lies in the control memory: plain data that every actor receives. */
export interface TableRegion {
  readonly base: WordIndex;
  readonly rows: number;
  readonly rowWords: number;
}

/** Hands out regions of the control memory, before the run starts. */
export class WordLayout {
  #next = 0;

  /** Reserves a table; its base is aligned to a line. */
  table(rows: number, rowWords: number): TableRegion {
    const base = wordIndex(this.#next);
    this.#next += Math.ceil((rows * rowWords) / LINE_WORDS) * LINE_WORDS;
    return { base, rows, rowWords };
  }

  /** Size of everything reserved so far, in bytes. */
  get sizeBytes(): number {
    return this.#next * 4;
  }
}

/** The word at a column of a row. */
export function wordAt(table: TableRegion, row: number, column: number): WordIndex {
  if (row < 0 || row >= table.rows) assert(false, `row ${row} lies in its table of ${table.rows}`);
  return wordIndex(table.base + row * table.rowWords + column);
}
