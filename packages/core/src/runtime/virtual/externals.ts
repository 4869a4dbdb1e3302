import { type ExternalPark, fromErrorRecord, toErrorRecord } from '../../base/index.js';
import type { OutsideWait } from './outside-watch.js';
import type { Running } from './running.js';

/** Who waits for promises of the outside world. */
export class Externals {
  readonly #waiting: { readonly running: Running; readonly park: ExternalPark }[] = [];

  get size(): number {
    return this.#waiting.length;
  }

  add(running: Running, park: ExternalPark): void {
    this.#waiting.push({ running, park });
  }

  /** Who waits for what. */
  get waits(): OutsideWait[] {
    return this.#waiting.map(({ running, park }) => ({ actor: running.actor.name, what: park.what }));
  }

  /** Waits until all of them have settled, then calls back for each, in the order in which they began to wait. */
  async settle(each: (running: Running, value: unknown, error?: Error) => void): Promise<void> {
    const batch = this.#waiting.splice(0);
    const settled = await Promise.allSettled(batch.map(({ park }) => park.promise));
    for (const [i, { running }] of batch.entries()) {
      const result = settled[i];
      if (result.status === 'fulfilled') each(running, result.value);
      else each(running, undefined, fromErrorRecord(toErrorRecord(result.reason)));
    }
  }
}
