/**
 * Words of the exporter actor alone: its services wait on each other by them, in both runtimes alike.
 *
 * Layout    row      one a buffer, and a last one for the copy engine
 *           word 0   SERVING   the ticket being served; tickets are drawn from a private counter, so service is first
 *                              in, first out
 *           word 1   CHANGES   grows at every attach and detach of the buffer
 *           word 2   HOLDER    the generator that is being served, by its number; 0 = none, or it is not told. For those
 *                              who ask who waits for whom; nothing else depends on it
 *           14,15    GUARD     say nothing (row-guards.ts)
 *
 * Only generators of the exporter read and write them, so no interleaving inside a step is possible; the words exist
 * because a wait must be a park. What they hold is only parked on: whose turn it is and what has changed the exporter knows by
 * itself, and each change of its own is a store of the whole word and a notify.
 * Damage    So a row that somebody overwrites keeps nobody from being served. It is named by its guards, and that is all.
 * Crash     Who stood in the queues died with the exporter, and so did the private counters. Its next life sets SERVING to 0
 *           before it serves anybody (`reset`). CHANGES only ever grows.
 */
import { type AtomicWords, attempt, type TableRegion, type Task, WordPark, wordAt } from '../base/index.js';

const SERVING = 0;
const CHANGES = 1;
const HOLDER = 2;
/** Words of one queue. */
export const QUEUE_ROW_WORDS = 16;

export class ExporterWords {
  readonly #nextTicket: number[];
  /** The truth of SERVING. */
  readonly #served: number[];
  /** Tells the number of the generator that is being stepped; absent = HOLDER is not written. */
  generatorNow: (() => number) | undefined;

  constructor(
    private readonly words: AtomicWords,
    private readonly table: TableRegion,
  ) {
    this.#nextTicket = Array.from({ length: table.rows }, () => 0);
    this.#served = Array.from({ length: table.rows }, () => 0);
  }

  /** Empties all queues: those who stood in them died with an earlier life of the exporter. Before the first service. */
  reset(): void {
    for (let row = 0; row < this.table.rows; row += 1) {
      this.words.store(wordAt(this.table, row, HOLDER), 0);
      this.words.store(wordAt(this.table, row, SERVING), 0);
      this.words.notify(wordAt(this.table, row, SERVING));
    }
  }

  /** The row of the copy engine. */
  get copyEngine(): number {
    return this.table.rows - 1;
  }

  /** Runs a task when all earlier ones of the same row have ended. */
  *serialised<T>(row: number, task: () => Task<T>): Task<T> {
    const word = wordAt(this.table, row, SERVING);
    const ticket = this.#nextTicket[row];
    this.#nextTicket[row] += 1;
    yield* attempt(() => {
      const seen = this.words.load(word);
      return this.#served[row] === ticket ? true : new WordPark(word, seen, 'an earlier service of the same buffer');
    });
    const holder = wordAt(this.table, row, HOLDER);
    if (this.generatorNow !== undefined) this.words.store(holder, this.generatorNow());
    try {
      return yield* task();
    } finally {
      if (this.generatorNow !== undefined) this.words.store(holder, 0);
      this.#served[row] = ticket + 1;
      this.words.store(word, ticket + 1);
      this.words.notify(word);
    }
  }

  /** The generator that is being served; 0 = none is known. */
  holder(row: number): number {
    return this.words.load(wordAt(this.table, row, HOLDER));
  }

  /** Whether a wait on a column is one for the end of an earlier service. */
  isQueue(column: number): boolean {
    return column === SERVING;
  }

  /** Tells those who wait for the attachments of a buffer that they have changed. */
  changed(row: number): void {
    const word = wordAt(this.table, row, CHANGES);
    this.words.add(word, 1);
    this.words.notify(word);
  }

  /** Try-step: until a condition on the attachments of a buffer holds. */
  whenStep(row: number, condition: () => boolean, what: string): true | WordPark {
    const word = wordAt(this.table, row, CHANGES);
    const seen = this.words.load(word);
    return condition() ? true : new WordPark(word, seen, what);
  }
}
