/**
 * What would have to change for a negotiation to succeed. Every repair is solved again before it is offered.
 *
 * Costs compare repairs with each other; 1 is one more image in memory or on the bus, for each frame: a size counts the
 * share of pixels added or lost, a larger pool each buffer beyond the largest allowed, slack given up half a buffer each
 * (it costs smoothness, not memory), a stage the bytes it writes. Repairs are listed by kind, in the order of
 * {@link REPAIR_KINDS}, then by cost.
 */
import { formatList } from '../describe.js';
import { byName } from '../provenance.js';
import { COST_UNIT, type CompiledCandidate, compileLayout } from './compile-layout.js';
import { countRepairs } from './count-repairs.js';
import { IMPLICIT_MODIFIER, type LayoutOption, LINEAR_MODIFIER } from './layout-constraints.js';
import { optionName } from './layout-facts.js';
import {
  blamed,
  type LayoutRepair,
  REPAIR_KINDS,
  type RepairSearch,
  resultOf,
  rounded,
  solve,
  without,
} from './layout-repair.js';
import type { LayoutSolution } from './search-layout.js';
import { sizeRepairs } from './size-repairs.js';
import { stageRepairs } from './stage-repairs.js';

/** Finds repairs, sorted. */
export function findRepairs(search: RepairSearch): LayoutRepair[] {
  const repairs = [
    ...optionRepairs(search),
    ...sizeRepairs(search),
    ...countRepairs(search),
    ...modifierRepairs(search),
    ...formatRepairs(search),
    ...stageRepairs(search),
  ];
  const rank = (repair: LayoutRepair): number => REPAIR_KINDS.indexOf(repair.kind);
  return repairs.sort((a, b) => rank(a) - rank(b) || a.cost - b.cost || byName(a.change, b.change));
}

function optionRepairs(search: RepairSearch): LayoutRepair[] {
  const { problem, view } = search;
  const repairs: LayoutRepair[] = [];
  for (const index of blamed(search)) {
    const c = problem.participants[index];
    c.alternatives?.forEach((option, place) => {
      const choice = view.choice.slice();
      choice[index] = c.options.length + place;
      const solution = solve(problem, { ...view, choice });
      if (solution === undefined) return;
      const to = option.name ?? `#${c.options.length + place + 1}`;
      const from = c.options.length === 1 ? optionName(c.options[0], 0, 1) : undefined;
      const result = resultOf(solution);
      const change = `use ${c.device} ${to}: stride ${result.strideBytes}`;
      const cost = option.cost ?? 0;
      repairs.push({
        kind: 'option',
        device: c.device,
        ...(from && { from }),
        to,
        limits: limitsOf(option, result.format),
        change,
        cost,
        result,
      });
    });
  }
  return repairs;
}

/** What an option costs in freedom: its largest image. */
function limitsOf(option: LayoutOption, format: string): string[] {
  const supports = option.formats?.filter((support) => support.format === format) ?? [];
  const sizes = [option.rules, ...supports.map((support) => support.rules)].flatMap((rules) => rules?.maxSize ?? []);
  if (sizes.length === 0) return [];
  const [width, height] = [0, 1].map((axis) => Math.min(...sizes.filter((_, index) => index % 2 === axis)));
  return [`maxSize ${width}x${height}`];
}

/** A linear layout in place of tiled or implicit ones, if those who say nothing of modifiers can do it. */
function modifierRepairs(search: RepairSearch): LayoutRepair[] {
  const { problem, view, conflicts } = search;
  const asked = problem.image.modifiers;
  if (asked !== undefined && !asked.includes(LINEAR_MODIFIER)) {
    const { modifiers: _, ...image } = problem.image;
    const solution = solve(compileLayout({ ...image, modifiers: [LINEAR_MODIFIER] }, problem.participants));
    if (solution !== undefined) return [modifierRepair(solution, [])];
  }
  const blocking = new Set<number>();
  for (const fact of conflicts.flat()) {
    const { field } = problem.facts[fact];
    if (field === 'modifiers' || field === 'implicitDomain') blocking.add(problem.participantOfFact[fact]);
  }
  if (blocking.size === 0) return [];
  const unsaid = problem.facts.flatMap((fact, index) => {
    if (fact.field !== 'modifiers' || !blocking.has(problem.participantOfFact[index])) return [];
    // Whoever lists modifiers, and not this one, has said that it cannot.
    return (fact.value as readonly string[]).every((one) => one === IMPLICIT_MODIFIER) ? [index] : [];
  });
  const isLinear = (candidate: CompiledCandidate): boolean => candidate.modifier === LINEAR_MODIFIER;
  const solution = solve(problem, without(view, unsaid), isLinear);
  if (solution === undefined) return [];
  return [modifierRepair(solution, [...new Set(unsaid.map((fact) => problem.facts[fact].device))])];
}

function modifierRepair(solution: LayoutSolution, assumedOf: readonly string[]): LayoutRepair {
  const result = resultOf(solution);
  const provided = assumedOf.length === 0 ? '' : `, if ${formatList(assumedOf)} can`;
  const change = `use ${result.format} in ${LINEAR_MODIFIER}${provided}: stride ${result.strideBytes}`;
  const cost = rounded(solution.cost / COST_UNIT);
  return { kind: 'modifier', modifier: result.modifier, assumedOf, change, cost, result };
}

/** A format that nobody asked for and all would take. */
function formatRepairs({ problem }: RepairSearch): LayoutRepair[] {
  const { formats, ...image } = problem.image;
  if (formats === undefined) return [];
  const solution = solve(compileLayout(image, problem.participants));
  if (solution === undefined) return [];
  const result = resultOf(solution);
  const change = `use ${result.format} in place of ${formatList(formats)}: stride ${result.strideBytes}`;
  return [{ kind: 'format', format: result.format, change, cost: rounded(solution.cost / COST_UNIT), result }];
}
