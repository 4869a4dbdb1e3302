/** The cheapest candidate of a prepared negotiation. */
import type { CompiledCandidate, LayoutProblem, LayoutView } from './compile-layout.js';
import { cheapest, isCheaper, isFeasible, type LayoutSolution } from './search-layout.js';

/** Solutions by candidate, and the best: the cheapest, the earlier candidate among equals. */
export interface SolvedLayout {
  readonly solutions: readonly (LayoutSolution | undefined)[];
  readonly best: LayoutSolution | undefined;
}

/** Solves every candidate, or those considered. */
export function solveLayout(
  problem: LayoutProblem,
  view: LayoutView,
  isConsidered: (candidate: CompiledCandidate) => boolean = () => true,
): SolvedLayout {
  const byTwin = new Map<number, LayoutSolution | undefined>();
  const solutions: (LayoutSolution | undefined)[] = [];
  let best: LayoutSolution | undefined;
  for (const candidate of problem.candidates) {
    if (!isConsidered(candidate)) {
      solutions.push(undefined);
      continue;
    }
    const { twin } = candidate;
    if (!byTwin.has(twin)) {
      // Most that fail do so at the first look, which costs nothing.
      byTwin.set(twin, isFeasible(problem, candidate, view) ? cheapest(problem, candidate, view) : undefined);
    }
    const same = byTwin.get(twin);
    const solution = same === undefined || same.candidate === candidate ? same : { ...same, candidate };
    solutions.push(solution);
    if (solution !== undefined && (best === undefined || isCheaper(solution, best))) best = solution;
  }
  return { solutions, best };
}
