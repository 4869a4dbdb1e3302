import type { Journal } from '../base/index.js';

/** The journals of the actors of a run, kept outside of all of them. */
export class Journals {
  readonly #entries = new Map<string, Map<string, unknown>>();

  /** @param value plain data that nobody else holds; undefined takes the entry out */
  set(actor: string, key: string, value: unknown): void {
    const entries = this.#entries.get(actor) ?? new Map<string, unknown>();
    this.#entries.set(actor, entries);
    if (value === undefined) entries.delete(key);
    else entries.set(key, value);
  }

  /** What an actor's next life starts from. */
  of(actor: string): ReadonlyMap<string, unknown> {
    return structuredClone(this.#entries.get(actor) ?? new Map());
  }

  /** A journal in the actor's own thread. */
  open(actor: string): Journal {
    return { restored: this.of(actor), set: (key, value) => this.set(actor, key, structuredClone(value)) };
  }
}
