/** A protocol as it is explored: its board, its bounds, the mistakes that must be caught, the paths that must be taken. */
import type { Board, DepthFirstBound } from '../explorer/index.js';

/** A search of a board: a strategy, and how many schedules it may take. */
export type Search = { readonly schedules: number; readonly crashes?: number } & (
  | ({ readonly by: 'depth first' } & DepthFirstBound)
  | { readonly by: 'random' }
  | { readonly by: 'PCT'; readonly depth: number }
);

export interface Protocol {
  readonly name: string;
  /** Makes the board, with one of the mutants or as production is. */
  board(mutant?: string): Board;
  /** Each a mistake that a search must find. */
  readonly mutants: readonly string[];
  /** Probes, each of which the searches must have hit. */
  readonly rarePaths: readonly string[];
  /** In order; a mutant is caught by whichever comes first. The last ones are for mistakes that the first miss. */
  readonly searches: readonly Search[];
}
