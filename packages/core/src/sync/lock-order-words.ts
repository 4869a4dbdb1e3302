/**
 * Orders of plain locks: who took which reservation while it held which other. Only in runs that lock plainly.
 *
 * Purpose   The locks of a run are taken by several actors, which may be threads and may die; the orders in which they do are put
 *           together by somebody outside (`LockOrder`). Source: the lock chains of kernel/locking/lockdep.c, v6.12.
 *
 * Layout    row 0   word  name     written by  meaning
 *                   0     COUNT    any actor   rows that have been asked for, those beyond the table included
 *           others  0     LANE     its writer  0, or the lane + 1 of who took `TO` while it held `FROM`
 *                   1     LIFE     its writer  how often the lane's actor had died before
 *                   2,3   FROM     its writer  slot of the buffer, and the life of the slot
 *                   4,5   TO       its writer  likewise
 *                   6,7   AT       its writer  model time in ns, low and high word
 *
 * Invariants
 *   I1  A row is written once, by whoever drew its number from COUNT. LANE is stored last, so a row with a LANE is whole.
 *
 * Pairs     P1 record: add COUNT, words 1 to 7, store LANE   with   P2 read: load LANE, then the others
 *
 * Progress  All is wait-free, and nothing but reports depends on it.
 * Crash     Who dies while it records leaves a row without a LANE, which readers pass over.
 * Shown by  tests/unit/core/sync/lock-order-words.test.ts.
 */
import { type AtomicWords, type Nanoseconds, type TableRegion, wordAt } from '../base/index.js';

const COUNT = 0;
const LANE = 0;
const LIFE = 1;
const FROM = 2;
const TO = 4;
const AT = 6;
/** Words of one order. */
export const LOCK_ORDER_ROW_WORDS = 8;

const TWO_32 = 4_294_967_296;

/** A reservation: the slot of its buffer, and which of the buffers of that slot. */
export interface LockedBuffer {
  readonly slot: number;
  readonly life: number;
}

/** One reservation taken while another was held. */
export interface LockOrderRecord {
  /** The slot of the timeline of the lane that did. */
  readonly lane: number;
  /** How often its actor had died before. */
  readonly life: number;
  readonly from: LockedBuffer;
  readonly to: LockedBuffer;
  /** When it was about to take the second, in model time. */
  readonly atNs: Nanoseconds;
}

/** The orders of one run. Context of all: any thread, whatever it holds; never waits. */
export class LockOrderWords {
  /** @param table a row more than it has room for orders */
  constructor(
    private readonly words: AtomicWords,
    private readonly table: TableRegion,
  ) {}

  /**
   * Writes an order down; where there is no room it is only counted.
   *
   * Context: whoever locks, before it waits for the second lock.
   *
   * @param order `atNs` below 2^53
   */
  record({ lane, life, from, to, atNs }: LockOrderRecord): void {
    const row = this.words.add(wordAt(this.table, 0, COUNT), 1) + 1; // P1
    if (row >= this.table.rows) return;
    const values = [life, from.slot, from.life, to.slot, to.life, (atNs % TWO_32) | 0, Math.floor(atNs / TWO_32)];
    for (const [i, value] of values.entries()) this.words.store(wordAt(this.table, row, LIFE + i), value);
    this.words.store(wordAt(this.table, row, LANE), lane + 1); // I1
  }

  /**
   * The orders that were written down, as they were begun to be.
   *
   * Context: any thread, also while others record: what is not whole yet is left out.
   *
   * @returns no more than the table has rows; the same order may stand there once for each lane and life
   */
  read(): LockOrderRecord[] {
    const orders: LockOrderRecord[] = [];
    for (let row = 1; row < this.table.rows; row += 1) {
      const load = (column: number): number => this.words.load(wordAt(this.table, row, column));
      const lane = load(LANE); // P2
      if (lane === 0) continue;
      orders.push({
        lane: lane - 1,
        life: load(LIFE),
        from: { slot: load(FROM), life: load(FROM + 1) },
        to: { slot: load(TO), life: load(TO + 1) },
        atNs: load(AT + 1) * TWO_32 + (load(AT) >>> 0),
      });
    }
    return orders;
  }

  /** Orders for which there was no room: recorded, and not among those of `read`. */
  get lost(): number {
    return Math.max(0, this.words.load(wordAt(this.table, 0, COUNT)) - (this.table.rows - 1));
  }
}
