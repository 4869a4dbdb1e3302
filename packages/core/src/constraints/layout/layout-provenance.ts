/** Who forced what in a layout that was agreed on. */
import { devicesOf, inOrder, type LayoutResolved, type LayoutStatement, mergeByIntersection } from '../provenance.js';
import { arrange, smallestStride } from './arrange.js';
import type { CompiledOption, LayoutProblem, LayoutView } from './compile-layout.js';
import { ANY_MODIFIER } from './layout-constraints.js';
import { describeFact, type LayoutFact } from './layout-facts.js';
import type { LayoutProvenance } from './layout-result.js';
import { type LayoutRow, mergeSlot, SLOT } from './layout-slots.js';
import { mergeStatements, type StatedRule } from './merge-layout.js';
import { buffersNeeded, type LayoutSolution, mergeOption } from './search-layout.js';

/** The provenance of every value of a solution. */
export function provenanceOf(problem: LayoutProblem, view: LayoutView, solution: LayoutSolution): LayoutProvenance {
  const taken = solution.options.filter((option) => option !== undefined);
  const { candidate } = solution;
  const rules = mergeStatements(
    taken.flatMap((option) => rulesOf(problem, option)),
    candidate.format,
  );
  const lists = (field: LayoutFact['field'], of: (fact: LayoutFact) => boolean): LayoutStatement<string[]>[] =>
    problem.facts.flatMap((fact, index) => {
      const option = solution.options[problem.participantOfFact[index]];
      const isTaken = option !== undefined && isOfOption(problem, fact, option);
      if (fact.field !== field || !isTaken || !of(fact)) return [];
      return [{ device: fact.device, field: fieldOf(fact), value: fact.value as string[] }];
    });
  const formats = lists('formats', () => true);
  const modifiers = lists(
    'modifiers',
    (fact) => fact.format === candidate.format.name && !(fact.value as string[]).includes(ANY_MODIFIER),
  );
  const alone = (measure: (row: LayoutRow) => number, of: string): LayoutResolved<number> =>
    commonOf(problem, view, solution, taken, measure, of);
  const { format } = candidate;
  const strideOf = (row: LayoutRow): number => {
    const wishes = wishedAlignment(solution, row);
    return smallestStride(row, format, view.widthPixels, wishes) ?? 0;
  };
  const sizeOf = (row: LayoutRow): number => arrange(row, format, view.heightPixels, strideOf(row))?.sizeBytes ?? 0;
  return {
    ...rules,
    ...(formats.length > 0 && { formats: mergeByIntersection(formats) }),
    ...(modifiers.length > 0 && { modifiers: mergeByIntersection(modifiers) }),
    strideBytes: alone(strideOf, 'stride'),
    sizeBytes: alone(sizeOf, 'size'),
    buffers: alone(buffersNeeded, 'counts'),
  };
}

/** A fact's name without its participant, with the scope it has: `NV12.strideExact`. */
function fieldOf(fact: LayoutFact): string {
  const { device, option: _, ...rest } = fact;
  return describeFact({ device, ...rest }).slice(device.length + 1);
}

function isOfOption(problem: LayoutProblem, fact: LayoutFact, option: CompiledOption): boolean {
  const { options } = problem.participants[option.participant];
  return options.length === 1 || fact.option === (options[option.index].name ?? `#${option.index + 1}`);
}

/** The rules that an option brings in this format and modifier, counts and lists aside. */
function rulesOf(problem: LayoutProblem, option: CompiledOption): StatedRule[] {
  const slots = new Map<number, number>();
  for (const [index, fact] of option.facts.entries()) slots.set(fact, option.slots[index]);
  const sizes = option.killers.filter((fact) => problem.isSizeFact[fact]);
  const rules = [...slots].filter(([, slot]) => slot < SLOT.implicitDomain).map(([fact]) => fact);
  // Equal strides are a rule that this format meets; it does not show among the demands.
  const equal = problem.facts.flatMap((fact, index) => {
    const isOwn = problem.participantOfFact[index] === option.participant && isOfOption(problem, fact, option);
    return isOwn && fact.field === 'equalPlaneStride' && fact.format === undefined ? [index] : [];
  });
  return [...rules, ...sizes, ...equal].map((index) => {
    const statement = problem.facts[index];
    return { device: statement.device, field: fieldOf(statement), statement };
  });
}

/** The alignment that gives the solution's stride: what is demanded, and the wishes that were met. */
function wishedAlignment({ options, unmet }: LayoutSolution, row: LayoutRow): number {
  const wished = row.slice();
  for (const option of options) {
    for (const wish of option?.preferences ?? []) {
      if (!unmet.includes(wish)) mergeSlot(wished, SLOT.strideAlignment, wish.alignmentBytes);
    }
  }
  return wished[SLOT.strideAlignment];
}

/** A result of all rules together: what each participant alone would give, and without whom it would be smaller. */
function commonOf(
  problem: LayoutProblem,
  view: LayoutView,
  solution: LayoutSolution,
  taken: readonly CompiledOption[],
  measure: (row: LayoutRow) => number,
  field: string,
): LayoutResolved<number> {
  const rowOf = (options: readonly CompiledOption[]): LayoutRow => {
    const row = solution.candidate.row.slice();
    for (const option of options) mergeOption(row, option, view);
    return row;
  };
  const value = measure(rowOf(taken));
  const statements = taken.map((option) => {
    const { device } = problem.participants[option.participant];
    return { device, field, value: measure(rowOf([option])) };
  });
  const binding = taken.filter((option) => measure(rowOf(taken.filter((other) => other !== option))) < value);
  return {
    value,
    operator: 'smallest common',
    contributions: inOrder(statements).map((one) => ({ ...one, slack: value - one.value })),
    binding: devicesOf(binding.map((option) => problem.participants[option.participant])),
  };
}
