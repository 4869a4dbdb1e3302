/** Who forced what in a layout that was agreed on. */
import { type LayoutResolved, type LayoutStatement, mergeByIntersection } from '../provenance.js';
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
    taken.flatMap((option) => rulesOf(problem, option, candidate.format.name)),
    candidate.format,
  );
  const lists = (field: LayoutFact['field'], of: (fact: LayoutFact) => boolean): LayoutStatement<string[]>[] =>
    taken.flatMap((option) =>
      problem.factsOfOption[option.participant][option.index].flatMap((index) => {
        const fact = problem.facts[index];
        if (fact.field !== field || !of(fact)) return [];
        return [{ device: fact.device, field: fieldOf(fact), value: fact.value as string[] }];
      }),
    );
  const formats = lists('formats', () => true);
  const modifiers = lists(
    'modifiers',
    (fact) => fact.format === candidate.format.name && !(fact.value as string[]).includes(ANY_MODIFIER),
  );
  const { format } = candidate;
  const strideOf = (row: LayoutRow): number => smallestStride(row, format, view.widthPixels) ?? 0;
  const sizeOf = (row: LayoutRow): number => arrange(row, format, view.heightPixels, strideOf(row))?.sizeBytes ?? 0;
  const rows = commonRows(problem, view, solution, taken);
  return {
    ...rules,
    ...(formats.length > 0 && { formats: mergeByIntersection(formats) }),
    ...(modifiers.length > 0 && { modifiers: mergeByIntersection(modifiers) }),
    strideBytes: commonOf(rows, strideOf, 'stride'),
    sizeBytes: commonOf(rows, sizeOf, 'size'),
    buffers: commonOf(rows, buffersNeeded, 'counts'),
  };
}

/** A fact's name without its participant, with the scope it has: `NV12.strideExact`. */
function fieldOf(fact: LayoutFact): string {
  const { device, option: _, ...rest } = fact;
  return describeFact({ device, ...rest }).slice(device.length + 1);
}

/** The rules that an option brings in this format and modifier, counts and lists aside. */
function rulesOf(problem: LayoutProblem, option: CompiledOption, name: string): StatedRule[] {
  const slots = new Map<number, number>();
  for (const [index, fact] of option.facts.entries()) slots.set(fact, option.slots[index]);
  const sizes = option.killers.filter((fact) => problem.isSizeFact[fact]);
  const rules = [...slots].filter(([, slot]) => slot < SLOT.implicitDomain).map(([fact]) => fact);
  // Equal strides are a rule that this format meets; it does not show among the demands.
  const equal = problem.factsOfOption[option.participant][option.index].filter((index) => {
    const { field, format } = problem.facts[index];
    return field === 'equalPlaneStride' && (format === undefined || format === name);
  });
  return [...rules, ...sizes, ...equal].map((index) => {
    const statement = problem.facts[index];
    return { device: statement.device, field: fieldOf(statement), statement };
  });
}

interface CommonRow {
  readonly device: string;
  /** Of the participant alone. */
  readonly alone: LayoutRow;
  /** Of all but the participant. */
  readonly others: LayoutRow;
}

/** All together, each alone, and all without each; wishes that were met count as demands. */
function commonRows(
  { participants }: LayoutProblem,
  view: LayoutView,
  { candidate, unmet }: LayoutSolution,
  taken: readonly CompiledOption[],
): { readonly all: LayoutRow; readonly rows: CommonRow[] } {
  const rowOf = (options: readonly CompiledOption[]): LayoutRow => {
    const row = candidate.row.slice();
    for (const option of options) {
      mergeOption(row, option, view);
      for (const wish of option.preferences) {
        if (!unmet.includes(wish)) mergeSlot(row, SLOT.strideAlignment, wish.alignmentBytes);
      }
    }
    return row;
  };
  const rows = taken.map((option) => ({
    device: participants[option.participant].device,
    alone: rowOf([option]),
    others: rowOf(taken.filter((other) => other !== option)),
  }));
  return { all: rowOf(taken), rows };
}

/** A result of all rules together: what each participant alone would give, and without whom it would be smaller. */
function commonOf(
  { all, rows }: ReturnType<typeof commonRows>,
  measure: (row: LayoutRow) => number,
  field: string,
): LayoutResolved<number> {
  const value = measure(all);
  const binding = rows.filter(({ others }) => measure(others) < value).map(({ device }) => device);
  const contributions = rows.map(({ device, alone }) => {
    const own = measure(alone);
    return { device, field, value: own, slack: value - own };
  });
  return { value, operator: 'smallest common', contributions, binding };
}
