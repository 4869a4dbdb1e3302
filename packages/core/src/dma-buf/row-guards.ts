/**
 * Guard words at the ends of the rows of one table, which say nothing and which a wild write runs over: of rows whose guards are the same
 * in the whole run.
 *
 * Layout    the last two words of each row  GUARD  exporter  a value of the table, the row and the column
 *
 * Invariants
 *   I1  From `open` on, before any device uses a row, its guards hold their values: nobody writes them again.
 *   I2  Guards of different tables, rows or columns differ, and none is 0, which is what an unused row holds.
 *
 * Anybody may look. Who finds a row damaged trusts nothing else in it; that is for the table's own file to say.
 * Shown by  tests/unit/core/dma-buf/row-guards.test.ts.
 */
import { type AtomicWords, type TableRegion, wordAt } from '../base/index.js';

/** Words at the end of a row that guards need. */
export const GUARD_WORDS = 2;

/** The guards of one table. Context of all: any thread, no lock, never waits; `open` is the exporter's alone. */
export class RowGuards {
  /** @param table its rows end in `GUARD_WORDS` words that nobody else uses */
  constructor(
    private readonly words: AtomicWords,
    private readonly table: TableRegion,
  ) {}

  /** How many rows the table has; all of them have guards. */
  get rows(): number {
    return this.table.rows;
  }

  /** Writes the guards of all rows. Once, before anybody uses them. */
  open(): void {
    for (let row = 0; row < this.table.rows; row += 1) {
      for (const column of this.#columns) this.words.store(wordAt(this.table, row, column), this.#due(row, column)); // I1
    }
  }

  /** Whether `open` has come to the last row: before, guards say nothing yet. */
  get isOpen(): boolean {
    return this.#columns.some((column) => this.words.load(wordAt(this.table, this.table.rows - 1, column)) !== 0);
  }

  /**
   * Whether a guard of a row does not hold its value: `damage` without the words. Makes no garbage. Only once `isOpen`.
   *
   * @param row from 0, below `rows`
   */
  isDamaged(row: number): boolean {
    const last = this.table.rowWords - 1;
    return (
      this.words.load(wordAt(this.table, row, last)) !== this.#due(row, last) ||
      this.words.load(wordAt(this.table, row, last - 1)) !== this.#due(row, last - 1)
    );
  }

  /**
   * What is wrong with the guards of a row. Only once `isOpen`.
   *
   * @param row from 0, below `rows`
   * @returns a clause about the first guard that is damaged, as `guardDamage` makes it; undefined when both are whole
   */
  damage(row: number): string | undefined {
    for (const column of this.#columns) {
      const held = this.words.load(wordAt(this.table, row, column));
      const due = this.#due(row, column);
      if (held !== due) return guardDamage(column, held, due);
    }
    return undefined;
  }

  get #columns(): readonly number[] {
    return [this.table.rowWords - 2, this.table.rowWords - 1];
  }

  #due(row: number, column: number): number {
    return guardOf(row, column, this.table.base); // I2
  }
}

/**
 * What a guard word holds: mixed as by splitmix32, and never 0.
 *
 * @param key of the table: tables with different keys have different guards
 * @returns 32 bits, signed
 */
export function guardOf(row: number, column: number, key: number): number {
  let z = (Math.imul(row + 1, 0x9e3779b9) ^ Math.imul(column + 1, 0x85ebca6b) ^ Math.imul(key + 1, 0xc2b2ae35)) | 0;
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return (z ^ (z >>> 15)) | 1;
}

/**
 * A guard that was written over, in words: `its guard word 14 holds 0xdeadbeef and not 0x1234abcd`.
 *
 * @param column word of the row, from 0
 * @param held what was found, 32 bits
 * @param due what `guardOf` gives
 */
export function guardDamage(column: number, held: number, due: number): string {
  return `its guard word ${column} holds ${hex(held)} and not ${hex(due)}`;
}

const hex = (word: number): string => `0x${(word >>> 0).toString(16).padStart(8, '0')}`;
