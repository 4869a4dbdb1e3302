/**
 * The only door to control words.
 *
 * Control state of all actors lives in one `SharedArrayBuffer` of 32-bit words (docs/decisions/0004). Each table has one
 * `*-words.ts` file that declares its layout and holds every access to it, and all of these go through this class:
 * there a test can observe or schedule each operation, and the virtual runtime turns a notify into an event.
 *
 * Ordering: every operation is sequentially consistent (ECMAScript Atomics), so only interleavings need arguing.
 */
import type { WordIndex } from './brand.js';

/** Why a word is notified: decides the class of the wake-up in the virtual runtime. */
export const Wake = {
  /** A completion, a release, a signal. */
  Release: 0,
  /** Something was handed over to a consumer. */
  HandOver: 1,
} as const;
export type Wake = (typeof Wake)[keyof typeof Wake];

export class AtomicWords {
  /** For subclasses, which are the virtual runtime's and tests'; `scripts/check-layers.mjs` refuses any other way past this class. */
  protected readonly cells: Int32Array;

  constructor(readonly buffer: SharedArrayBuffer) {
    this.cells = new Int32Array(buffer);
  }

  /** Number of words. */
  get length(): number {
    return this.cells.length;
  }

  load(word: WordIndex): number {
    return Atomics.load(this.cells, word);
  }

  store(word: WordIndex, value: number): void {
    Atomics.store(this.cells, word, value);
  }

  /** Adds and returns the value before. */
  add(word: WordIndex, delta: number): number {
    return Atomics.add(this.cells, word, delta);
  }

  /** Stores `replacement` if the word holds `expected`; returns the value before. */
  compareExchange(word: WordIndex, expected: number, replacement: number): number {
    return Atomics.compareExchange(this.cells, word, expected, replacement);
  }

  /** Wakes every waiter of a word. A waiter must have checked the value: a wake-up is a hint, never a promise. */
  notify(word: WordIndex, _wake: Wake = Wake.Release): void {
    Atomics.notify(this.cells, word);
  }

  /** Starts a wait as `Atomics.waitAsync` does: on the word still holding `expected`, for at most `timeoutMs`. */
  waitAsync(
    word: WordIndex,
    expected: number,
    timeoutMs: number,
  ): { async: false; value: 'not-equal' | 'timed-out' } | { async: true; value: Promise<'ok' | 'timed-out'> } {
    return Atomics.waitAsync(this.cells, word, expected, timeoutMs);
  }
}
