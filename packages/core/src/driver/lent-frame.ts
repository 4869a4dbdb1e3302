/**
 * Whose a frame is: the driver's from `take` or `acquire` until it releases, drops, cancels or pushes it.
 *
 * What it still has at the end of the frame's scope (`using`) goes back unused.
 */
export class LentFrame implements Disposable {
  #giveBack: (() => void) | undefined;

  /** It is the driver's from here on. @param giveBack takes it back unused; ends the loan by `surrender` */
  lend(giveBack: () => void): void {
    this.#giveBack = giveBack;
  }

  /** It is the driver's no longer. @returns false when it was not */
  surrender(): boolean {
    const isLent = this.#giveBack !== undefined;
    this.#giveBack = undefined;
    return isLent;
  }

  get isLent(): boolean {
    return this.#giveBack !== undefined;
  }

  [Symbol.dispose](): void {
    this.#giveBack?.();
  }
}
