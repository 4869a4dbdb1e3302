import { ErrnoError } from '../base/index.js';

/** The free slots of a table; the lowest is taken first. */
export class SlotPool {
  readonly #taken = new Set<number>();

  constructor(private readonly size: number) {}

  /**
   * Takes a slot.
   *
   * @param task what it is for, for the message
   * @throws ErrnoError ENOSPC when all are taken
   */
  take(task: string): number {
    for (let slot = 0; slot < this.size; slot += 1) {
      if (this.#taken.has(slot)) continue;
      this.#taken.add(slot);
      return slot;
    }
    throw new ErrnoError('ENOSPC', 'dma_buf_export', `Cannot ${task}: all ${this.size} slots of the table are taken`);
  }

  /** Takes a slot that an earlier life had taken. */
  claim(slot: number): void {
    this.#taken.add(slot);
  }

  give(slot: number): void {
    this.#taken.delete(slot);
  }
}
