/**
 * All minimal conflicts among facts, smallest first, and the ways out of them.
 *
 * A conflict (core) is a set of facts that cannot hold together while any proper subset can. A way out (minimal
 * correction set) is a set of facts without which the rest can hold, and of which no proper subset would do. Every
 * conflict meets every way out, so a smallest set that meets all ways out known so far is a conflict, or shows a further
 * way out. The search alternates so until nothing is left.
 *
 * Source: A. Ignatiev et al., "Smallest MUS extraction with minimal hitting set dualization", CP 2015. Differs: it goes on
 * after the first conflict, past those found, and finds hitting sets by plain deepening: there are some hundred facts
 * here, and few in a conflict.
 */

/** The outcome of {@link conflictSets}. */
export interface ConflictSets {
  /**
   * Minimal conflicts as indices into the facts, ascending; by size, then by index. One that is empty, and no other, when
   * nothing holds even without facts; none when all facts can hold together.
   */
  readonly conflicts: readonly (readonly number[])[];
  /** The ways out that the search came across, by size, then by index; not all there are. */
  readonly corrections: readonly (readonly number[])[];
  /** Whether these are all conflicts there are. */
  readonly complete: boolean;
}

/** How far a search goes. */
export interface ConflictLimits {
  /** Most conflicts; 8 by default. */
  readonly maxConflicts?: number;
  /** Most steps of the search; 20,000 by default. A count and never a time, so that the answer is the same everywhere. */
  readonly maxTrials?: number;
}

/**
 * Finds the minimal conflicts.
 *
 * Context: any-thread; pure.
 *
 * @param factCount how many facts there are; they are known by index
 * @param holds whether those with `kept[i]` can hold together. Must be monotone: what holds, holds with fewer facts
 */
export function conflictSets(
  factCount: number,
  holds: (kept: readonly boolean[]) => boolean,
  { maxConflicts = 8, maxTrials = 20_000 }: ConflictLimits = {},
): ConflictSets {
  const all = Array.from({ length: factCount }, (_, index) => index);
  if (holds(all.map(() => true))) return { conflicts: [], corrections: [], complete: true };
  const none = all.map(() => false);
  if (!holds(none)) return { conflicts: [[]], corrections: [], complete: true };
  const search: Search = { conflicts: [], corrections: [wayOut(none, holds)], trialsLeft: maxTrials };
  let size = 1;
  while (size <= search.corrections.length && search.conflicts.length < maxConflicts && search.trialsLeft > 0) {
    const hitting = hittingSet(search, size);
    if (hitting === undefined) {
      size += 1;
      continue;
    }
    const kept = all.map((index) => hitting.includes(index));
    if (holds(kept)) search.corrections.push(wayOut(kept, holds));
    else search.conflicts.push(hitting);
  }
  const { conflicts, corrections } = search;
  const complete = size > corrections.length && search.trialsLeft > 0;
  return { conflicts: conflicts.sort(bySize), corrections: corrections.sort(bySize), complete };
}

interface Search {
  readonly conflicts: number[][];
  readonly corrections: number[][];
  trialsLeft: number;
}

/** The facts left out when as many as possible are added to those kept, first come first. */
function wayOut(kept: readonly boolean[], holds: (kept: readonly boolean[]) => boolean): number[] {
  const grown = [...kept];
  const out: number[] = [];
  for (let index = 0; index < grown.length; index += 1) {
    if (grown[index]) continue;
    grown[index] = true;
    if (holds(grown)) continue;
    grown[index] = false;
    out.push(index);
  }
  return out;
}

/**
 * A set of just so many facts that meets every way out and holds no conflict found before. No smaller one exists when
 * sizes are asked for in ascending order, so that it is minimal.
 */
function hittingSet(search: Search, size: number): number[] | undefined {
  const chosen = new Set<number>();
  const extend = (): boolean => {
    search.trialsLeft -= 1;
    if (search.trialsLeft <= 0) return false;
    if (search.conflicts.some((conflict) => conflict.every((fact) => chosen.has(fact)))) return false;
    const missed = search.corrections.find((correction) => !correction.some((fact) => chosen.has(fact)));
    if (missed === undefined) return chosen.size === size;
    if (chosen.size === size) return false;
    for (const fact of missed) {
      chosen.add(fact);
      if (extend()) return true;
      chosen.delete(fact);
    }
    return false;
  };
  return extend() ? [...chosen].sort((a, b) => a - b) : undefined;
}

function bySize(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) return a.length - b.length;
  const at = a.findIndex((value, index) => value !== b[index]);
  return at < 0 ? 0 : a[at] - b[at];
}
