/**
 * Whose a frame is: the driver's from `take` or `acquire` until it releases, drops, cancels or pushes it.
 *
 * What it still has at the end of the frame's scope (`using`) goes back unused.
 */
export class LentFrame implements Disposable {
  #giveBack: (() => void) | undefined;
  #lender: unknown;

  /**
   * It is the driver's from here on.
   *
   * @param giveBack takes it back unused; ends the loan by `surrender`
   * @param lender the port that lends it, where a driver has several
   */
  lend(giveBack: () => void, lender?: unknown): void {
    this.#giveBack = giveBack;
    this.#lender = lender;
  }

  /** It is the driver's no longer. @returns false when it was not, or somebody else has lent it: nothing has changed then */
  surrender(lender?: unknown): boolean {
    if (this.#giveBack === undefined || this.#lender !== lender) return false;
    this.#giveBack = undefined;
    return true;
  }

  get isLent(): boolean {
    return this.#giveBack !== undefined;
  }

  [Symbol.dispose](): void {
    this.#giveBack?.();
  }
}
