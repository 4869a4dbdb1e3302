/** The cheapest candidate of a prepared negotiation. */
import type { LayoutProblem, LayoutView } from './compile-layout.js';
import { cheapest, isCheaper, type LayoutSolution } from './search-layout.js';

/** Solutions by candidate, and the best: the cheapest, the earlier candidate among equals. */
export interface SolvedLayout {
  readonly solutions: readonly (LayoutSolution | undefined)[];
  readonly best: LayoutSolution | undefined;
}

/** Solves every candidate. */
export function solveLayout(problem: LayoutProblem, view: LayoutView): SolvedLayout {
  const solutions = problem.candidates.map((candidate) => cheapest(problem, candidate, view));
  let best: LayoutSolution | undefined;
  for (const solution of solutions) {
    if (solution !== undefined && (best === undefined || isCheaper(solution, best))) best = solution;
  }
  return { solutions, best };
}
