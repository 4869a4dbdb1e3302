/**
 * All minimal conflicts among facts, smallest first, and the ways out of them.
 *
 * A conflict (core) is a set of facts that cannot hold together while any proper subset can. A way out (minimal
 * correction set) is a set of facts without which the rest can hold, and no smaller part of it would do. Each conflict
 * meets each way out, so that knowing all of one kind tells the other: the search alternates between them.
 *
 * Source: M. Liffiton et al., "Fast, flexible MUS enumeration" (MARCO), Constraints 21, 2016. Differs: the next seed is
 * the smallest hitting set of the ways out found so far, so that conflicts come smallest first (the dual of implicit hitting sets),
 * by plain branch and bound: there are some hundred facts here, and a few in each conflict.
 */

/** The outcome of {@link conflictSets}. */
export interface ConflictSets {
  /** Minimal conflicts as indices into the facts, ascending; by size, then by index. */
  readonly conflicts: readonly (readonly number[])[];
  /** Ways out that the search came across, by size, then by index. */
  readonly corrections: readonly (readonly number[])[];
  /** Whether these are all conflicts there are. */
  readonly complete: boolean;
}

/** How far a search goes. */
export interface ConflictLimits {
  /** Most conflicts; 8 by default. */
  readonly maxConflicts?: number;
  /** Most calls of `holds`; 20,000 by default. A count and never a time, so that the answer is the same everywhere. */
  readonly maxTrials?: number;
}
