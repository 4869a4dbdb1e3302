/** Turns a native codec that has fallen silent into an error, so that no call waits for ever. */

/** Long enough for a slow, loaded machine to code one picture of any accepted size many times over. */
export const STALL_MS = 60_000;

/**
 * Watches work that reports progress by callbacks.
 *
 * Context: one thread; needs its event loop.
 */
export class StallGuard {
  readonly #task: string;
  readonly #stallMs: number;
  readonly #onFailure: (error: Error) => void;
  #timer: NodeJS.Timeout | undefined;
  #error: Error | undefined;

  /**
   * @param task what is being done, for the message: "decode the clip"
   * @param onFailure called once, at the first failure
   */
  constructor(task: string, onFailure: (error: Error) => void, stallMs = STALL_MS) {
    this.#task = task;
    this.#onFailure = onFailure;
    this.#stallMs = stallMs;
  }

  /** The first failure, if there was one. */
  get error(): Error | undefined {
    return this.#error;
  }

  /** Something is under way: expects `idle` or another `busy` before the time is up. */
  busy(): void {
    clearTimeout(this.#timer);
    if (this.#error) return;
    this.#timer = setTimeout(() => {
      this.fail(new Error(`Cannot ${this.#task}: the codec gave nothing for ${this.#stallMs / 1000} s`));
    }, this.#stallMs);
  }

  /** Nothing is awaited any more. */
  idle(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Records a failure; only the first counts. */
  fail(error: Error): void {
    this.idle();
    if (this.#error) return;
    this.#error = error;
    this.#onFailure(error);
  }
}
