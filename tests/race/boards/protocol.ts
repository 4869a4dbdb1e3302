/** A protocol as it is explored: its board, its bounds, the mistakes that must be caught, the paths that must be taken. */
import type { Board, DepthFirstBound } from '../explorer/index.js';

/**
 * A search of a board: a strategy, and how many schedules it may take.
 *
 * A search by depth that is said to be `complete` has to come to its end, `in tests` or only in the longer ones of
 * `npm run explore`; there it is not stopped when its time is up. Without it the first so many schedules are tried.
 */
export type Search = { readonly schedules: number; readonly crashes?: number } & (
  | ({ readonly by: 'depth first'; readonly complete?: 'in tests' | 'in explore' } & DepthFirstBound)
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
