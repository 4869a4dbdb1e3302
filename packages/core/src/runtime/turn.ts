import { ErrnoError } from '../base/index.js';

/**
 * Whose turn it is. A driver may use what the runtime gave it only while its generator is being stepped: a call from a
 * stray promise or a timer would make the run depend on something outside it.
 */
export class Turn {
  #actor: string | undefined;
  /** Told of every violation: what is thrown into a stray promise may never be seen. */
  onViolation: (error: Error) => void = () => {};

  /** Begins a step of an actor's generator. @returns whose turn it was, for `leave` */
  enter(actor: string): string | undefined {
    const before = this.#actor;
    this.#actor = actor;
    return before;
  }

  leave(before: string | undefined): void {
    this.#actor = before;
  }

  /** Runs something as a step of an actor's generator. */
  during<T>(actor: string, step: () => T): T {
    const before = this.enter(actor);
    try {
      return step();
    } finally {
      this.leave(before);
    }
  }

  /** @throws ErrnoError EPROTO when it is not the actor's turn */
  check(actor: string, what: string): void {
    if (this.#actor === actor) return;
    const error = new ErrnoError(
      'EPROTO',
      what,
      `${actor} used ${what} outside its turn: only its generator may, while it is being stepped, and not a promise or a timer`,
      { actor },
    );
    this.onViolation(error);
    throw error;
  }
}
