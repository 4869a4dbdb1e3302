/** Where a buffer was and how it moved: the first of each are kept one by one, all are counted. */
import type { Nanoseconds } from '../base/index.js';

/** Placements of a buffer that are kept, and moves of it that are. */
export const MAX_HISTORY = 1_000;

/** Where a buffer was put, when, and why. */
export interface Placement {
  readonly heap: string;
  readonly atNs: Nanoseconds;
  readonly why: string;
}

/** One move of a buffer, whether it succeeded or not. */
export interface MoveRecord {
  readonly buffer: string;
  readonly from: string;
  readonly to: string;
  readonly bytes: number;
  readonly reason: string;
  /** The devices without which the buffer could have stayed. */
  readonly forcedBy: readonly string[];
  readonly requestedNs: Nanoseconds;
  /** When new maps were stopped. */
  readonly startNs: Nanoseconds;
  /** When the last mapping and the last fence had ended. */
  readonly drainedNs: Nanoseconds;
  readonly endNs: Nanoseconds;
  readonly outcome: 'moved' | 'timed-out' | 'refused';
  readonly error?: { readonly code: string; readonly message: string; readonly holders: readonly string[] };
  /** For whom the move waited, and how long. */
  readonly waited: readonly { readonly device: string; readonly ns: Nanoseconds }[];
  /** The dynamic importers that moveNotify told; absent = there were none. */
  readonly notified?: readonly string[];
}

/** How many of everything, also of what is not kept. */
export interface BufferTally {
  readonly placements: number;
  readonly moved: number;
  readonly refused: number;
  readonly timedOut: number;
  /** Copied by moves. */
  readonly bytes: number;
  /** Placements and moves that are not kept. */
  readonly placementsDropped: number;
  readonly movesDropped: number;
}

export const NO_TALLY: BufferTally = {
  placements: 0,
  moved: 0,
  refused: 0,
  timedOut: 0,
  bytes: 0,
  placementsDropped: 0,
  movesDropped: 0,
};

/** The sum of two. */
export function addTallies(a: BufferTally, b: BufferTally): BufferTally {
  return {
    placements: a.placements + b.placements,
    moved: a.moved + b.moved,
    refused: a.refused + b.refused,
    timedOut: a.timedOut + b.timedOut,
    bytes: a.bytes + b.bytes,
    placementsDropped: a.placementsDropped + b.placementsDropped,
    movesDropped: a.movesDropped + b.movesDropped,
  };
}

const COUNTED = { moved: 'moved', refused: 'refused', 'timed-out': 'timedOut' } as const;

export class BufferHistory {
  readonly #placements: Placement[] = [];
  readonly #moves: MoveRecord[] = [];
  #tally = NO_TALLY;

  /** The first `MAX_HISTORY`. */
  get placements(): readonly Placement[] {
    return this.#placements;
  }

  /** The first `MAX_HISTORY`. */
  get moves(): readonly MoveRecord[] {
    return this.#moves;
  }

  get tally(): BufferTally {
    return this.#tally;
  }

  /** It was put somewhere. */
  placed(placement: Placement): void {
    const isKept = this.#placements.length < MAX_HISTORY;
    if (isKept) this.#placements.push(placement);
    this.#tally = addTallies(this.#tally, { ...NO_TALLY, placements: 1, placementsDropped: isKept ? 0 : 1 });
  }

  /** It has moved, or was to. */
  moveEnded(record: MoveRecord): void {
    const isKept = this.#moves.length < MAX_HISTORY;
    if (isKept) this.#moves.push(record);
    const counted = { [COUNTED[record.outcome]]: 1, bytes: record.bytes, movesDropped: isKept ? 0 : 1 };
    this.#tally = addTallies(this.#tally, { ...NO_TALLY, ...counted });
  }

  /** Takes over what an earlier life of the exporter wrote down. */
  restoreHistory(past: Pick<BufferHistory, 'placements' | 'moves' | 'tally'>): void {
    this.#placements.push(...past.placements);
    this.#moves.push(...past.moves);
    this.#tally = past.tally;
  }
}
