/** Ids of the objects of mode setting: one space for all kinds. Source: drivers/gpu/drm/drm_mode_object.c, v6.12. */

/** What an id stands for. */
interface Entry {
  readonly kind: number;
  readonly object: unknown;
}

export class ModeObjects {
  readonly #entries = new Map<number, Entry>();

  /** Gives an object the lowest id that is free, at least 1. Source: __drm_mode_object_add. */
  add(kind: number, object: unknown): number {
    let id = 1;
    while (this.#entries.has(id)) id += 1;
    this.#entries.set(id, { kind, object });
    return id;
  }

  /** @returns undefined for an id that is free, or of another kind */
  find<T>(id: number, kind: number): T | undefined {
    const entry = this.#entries.get(id);
    return entry?.kind === kind ? (entry.object as T) : undefined;
  }

  /** Of any kind. */
  get(id: number): Entry | undefined {
    return this.#entries.get(id);
  }

  remove(id: number): void {
    this.#entries.delete(id);
  }
}
