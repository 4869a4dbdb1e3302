import type { Task } from '../../base/index.js';
import { type WaitLimit, waitFor } from '../../sync/index.js';

/** Tasks of one actor that wait for a condition; whoever may have made it true wakes them, and they look again. */
export class WakeList {
  readonly #waiters = new Set<() => void>();

  /** Has all waiters look again. */
  wake(): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const wake of waiters) wake();
  }

  /** Waits until a condition holds. @returns false when time ran out first */
  *until(condition: () => boolean, what: string, limit?: WaitLimit): Task<boolean> {
    while (!condition()) {
      const inTime = yield* waitFor(
        (wake) => this.#enter(wake),
        (wake) => this.#waiters.delete(wake),
        what,
        limit,
      );
      if (!inTime) return condition();
    }
    return true;
  }

  #enter(wake: () => void): () => void {
    this.#waiters.add(wake);
    return wake;
  }
}
