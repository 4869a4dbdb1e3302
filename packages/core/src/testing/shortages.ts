/** Which calls of a life find no memory. */
import type { MonitorOptions } from './monitor.js';

type Planned = NonNullable<MonitorOptions['shortages']>;

export class Shortages {
  readonly #calls: Record<keyof Planned, number> = { begin: 0, tick: 0, acquire: 0 };

  constructor(private readonly planned: Planned = {}) {}

  /** Counts a call. @returns whether it is to find no memory */
  isShort(kind: keyof Planned): boolean {
    const index = this.#calls[kind];
    this.#calls[kind] += 1;
    return this.planned[kind] === index;
  }
}
