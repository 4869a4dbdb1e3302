/**
 * Looks from outside of all actors at the guard words of frames, pools, rings and queues, and remembers which it found overwritten.
 *
 * It changes nothing: who uses such a row finds the damage by itself and leaves the row alone (`frame-words.ts`, `ring-words.ts`,
 * `dma-buf/exporter-words.ts`). So a run is the same with it, and what it found is known also when the run has failed.
 */
import type { AtomicWords, Nanoseconds } from '../base/index.js';
import type { RowGuards } from '../dma-buf/index.js';
import { rowGuardsOf, type SharedTables } from './shared-tables.js';

/** How often it looks, in model time. */
const LOOK_NS = 20_000_000;

/** A row that was overwritten. */
export interface RowDamage {
  readonly table: 'frame' | 'pool' | 'ring' | 'queue';
  /** Of a ring its number among the links. */
  readonly row: number;
  /** What its guards say. */
  readonly what: string;
  /** When it was seen, in model time. */
  readonly seenNs: Nanoseconds;
}

export class RowWatch {
  /** As they were found. */
  readonly damages: RowDamage[] = [];
  readonly #tables: readonly (readonly [RowDamage['table'], RowGuards, firstRow: number])[];
  readonly #told = new Set<string>();
  #nextNs = 0;

  /** @param hasBegun whether model time has: until then the guards may not have been opened */
  constructor(
    words: AtomicWords,
    tables: SharedTables,
    private readonly hasBegun: () => boolean,
  ) {
    const guards = rowGuardsOf(words, tables);
    this.#tables =
      guards === undefined
        ? []
        : [
            ['frame', guards.frames, 0],
            ['pool', guards.pools, 0],
            ['queue', guards.queues, 0],
            ...guards.rings.map((ring, i) => ['ring', ring, i] as const),
          ];
  }

  /** Looks, if the last look is so long ago. To be called often. */
  beat(nowNs: Nanoseconds): void {
    if (nowNs < this.#nextNs || !this.hasBegun()) return;
    this.#nextNs = nowNs + LOOK_NS;
    this.look(nowNs);
  }

  /** Looks at all rows. Each that is damaged is remembered once. */
  look(nowNs: Nanoseconds): void {
    if (!this.hasBegun()) return;
    for (const [table, guards, first] of this.#tables) {
      for (let row = 0; row < guards.rows; row += 1) {
        const key = `${table} ${first + row}`;
        if (!guards.isDamaged(row) || this.#told.has(key)) continue;
        this.#told.add(key);
        this.damages.push({ table, row: first + row, what: guards.damage(row) ?? '', seenNs: nowNs });
      }
    }
  }
}
