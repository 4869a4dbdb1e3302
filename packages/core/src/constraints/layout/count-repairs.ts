/** A larger pool, or less slack. */
import { formatList } from '../describe.js';
import { byName } from '../provenance.js';
import { describeFact, type LayoutFact } from './layout-facts.js';
import { type LayoutRepair, MAX_OF_A_KIND, type RepairSearch, resultOf, solve, without } from './layout-repair.js';
import { buffersNeeded, type LayoutSolution } from './search-layout.js';

/** A larger pool, or less slack. */
export function countRepairs(search: RepairSearch): LayoutRepair[] {
  const { problem, view, conflicts } = search;
  const inConflict = [...new Set(conflicts.flat())];
  const maxima = inConflict.filter((fact) => problem.facts[fact].field === 'max');
  if (maxima.length === 0) return [];
  const repairs: LayoutRepair[] = [];
  const from = Math.min(...maxima.map((fact) => problem.facts[fact].value as number));
  const all = problem.facts.flatMap((fact, index) => (fact.field === 'max' ? [index] : []));
  const unlimited = solve(problem, without(view, all));
  if (unlimited !== undefined) {
    const to = buffersNeeded(unlimited.row);
    const tooLow = all.filter((fact) => (problem.facts[fact].value as number) < to);
    const raised = solve(problem, without(view, tooLow));
    if (raised !== undefined && buffersNeeded(raised.row) <= to) {
      const devices = [...new Set(tooLow.map((fact) => problem.facts[fact].device))];
      const change = `raise max of ${formatList(devices)} from ${from} to ${to}`;
      repairs.push({ kind: 'raise-max', devices, from, to, change, cost: to - from, result: resultOf(raised) });
    }
  }
  const slack = problem.facts.flatMap((fact, index) => (isSlack(fact) ? [index] : []));
  const sets = smallestDrops(slack, (facts) => solve(problem, without(view, facts)));
  for (const { facts, solution } of sets) {
    const dropped = facts.map((fact) => problem.facts[fact]);
    const result = resultOf(solution);
    const change = `drop ${formatList(dropped.map(describeFact))}: ${result.buffers} buffers`;
    const cost = dropped.reduce((sum, fact) => sum + (fact.value as number) / 2, 0);
    repairs.push({ kind: 'drop-slack', facts: dropped, change, cost, result });
  }
  const drops = repairs.filter((repair) => repair.kind === 'drop-slack');
  const kept = new Set(drops.sort((a, b) => a.cost - b.cost || byName(a.change, b.change)).slice(0, MAX_OF_A_KIND));
  return repairs.filter((repair) => repair.kind !== 'drop-slack' || kept.has(repair));
}

function isSlack({ field, value }: LayoutFact): boolean {
  return (field === 'dedicatedSlack' || field === 'sharedSlack') && (value as number) > 0;
}

/** The smallest sets of facts without which there is a solution: all of the smallest size, up to three facts. */
function smallestDrops(
  facts: readonly number[],
  solveWithout: (facts: readonly number[]) => LayoutSolution | undefined,
): { readonly facts: readonly number[]; readonly solution: LayoutSolution }[] {
  if (facts.length === 0 || solveWithout(facts) === undefined) return [];
  const subsets = (size: number, from: number): number[][] =>
    size === 0
      ? [[]]
      : facts.slice(from).flatMap((fact, index) => subsets(size - 1, from + index + 1).map((rest) => [fact, ...rest]));
  for (let size = 1; size <= Math.min(3, facts.length); size++) {
    const found = subsets(size, 0).flatMap((set) => {
      const solution = solveWithout(set);
      return solution === undefined ? [] : [{ facts: set, solution }];
    });
    if (found.length > 0) return found;
  }
  const solution = solveWithout(facts);
  return solution === undefined ? [] : [{ facts, solution }];
}
