import { ReplyPark, type ReplySettle, type Task } from '../base/index.js';
import { peerIsGone } from './actor.js';

/** Those who wait for the next life of an actor. */
export class Returns {
  readonly #waiting = new Map<string, Set<{ readonly settle: ReplySettle; readonly method: string }>>();
  readonly #gone = new Set<string>();

  /** Waits until an actor is back. @throws ErrnoError ENODEV when it is dead for good */
  *wait(actor: string, method: string): Task<void> {
    if (this.#gone.has(actor)) throw peerIsGone(method, actor);
    yield new ReplyPark((settle) => {
      const waiting = this.#waiting.get(actor) ?? new Set();
      this.#waiting.set(actor, waiting.add({ settle, method }));
    }, `the return of ${actor}`);
  }

  isBack(actor: string): void {
    this.#gone.delete(actor);
    for (const { settle } of this.#take(actor)) settle.resolve(undefined);
  }

  isGone(actor: string): void {
    this.#gone.add(actor);
    for (const { settle, method } of this.#take(actor)) settle.reject(peerIsGone(method, actor));
  }

  #take(actor: string): Iterable<{ readonly settle: ReplySettle; readonly method: string }> {
    const waiting = this.#waiting.get(actor) ?? [];
    this.#waiting.delete(actor);
    return waiting;
  }
}
