/** Writes down the mappings and fences of one actor, for somebody who looks at their ages from outside. */
import type { ActorId, Nanoseconds } from '../base/index.js';
import type { DmaFence } from '../sync/index.js';
import type { DmaMapping } from './dma-mapping.js';
import { UseKind, type UseWords } from './use-words.js';

export class UseLog {
  readonly #rows = new Map<DmaMapping, number>();
  readonly #free: number[] = [];

  /** @param now 0 before model time has begun */
  constructor(
    private readonly words: UseWords,
    private readonly actor: ActorId,
    private readonly now: () => Nanoseconds,
  ) {
    words.clear(actor); // of an earlier life
    const first = actor * words.rowsPerActor;
    for (let row = first + words.rowsPerActor - 1; row >= first; row -= 1) this.#free.push(row);
  }

  opened(mapping: DmaMapping, kind: UseKind = UseKind.Job): void {
    const row = this.#free.pop();
    if (row === undefined) {
      this.words.countLost(this.actor);
      return;
    }
    const { slot, life } = mapping.attachment.buffer;
    this.words.open(row, kind, { buffer: slot, life, generation: mapping.generation, sinceNs: this.now() });
    this.#rows.set(mapping, row);
  }

  /** It stays beyond its job. One that was not written down yet is now. */
  held(mapping: DmaMapping): void {
    const row = this.#rows.get(mapping);
    if (row === undefined) this.opened(mapping, UseKind.Held);
    else this.words.hold(row);
  }

  published(fence: DmaFence, mappings: readonly DmaMapping[]): void {
    const nowNs = this.now();
    for (const mapping of mappings) {
      const row = this.#rows.get(mapping);
      if (row !== undefined) this.words.publish(row, fence, nowNs);
    }
  }

  closed(mapping: DmaMapping): void {
    const row = this.#rows.get(mapping);
    if (row === undefined) return;
    this.#rows.delete(mapping);
    this.words.close(row);
    this.#free.push(row);
  }
}
