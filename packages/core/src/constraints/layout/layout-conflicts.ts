/** The minimal conflicts of a negotiation that cannot succeed, at the level of facts and of participants. */
import { type ConflictLimits, type ConflictSets, conflictSets } from '../conflict-sets.js';
import { smallestStride } from './arrange.js';
import type { CompiledOption, LayoutProblem, LayoutView } from './compile-layout.js';
import { describeFact } from './layout-facts.js';
import { rejectionOf } from './layout-rejections.js';
import type { LayoutConflict } from './layout-result.js';
import { type LayoutRow, mergeSlot, neutralRow, SLOT, SLOTS } from './layout-slots.js';
import { buffersNeeded, type FeasibleChoice, feasibleChoice, mergeClashes, stillFits } from './search-layout.js';

/** Conflicts as facts by index. */
export interface FoundConflicts {
  readonly conflicts: readonly LayoutConflict[];
  /** By conflict: the indices of its facts. */
  readonly facts: readonly (readonly number[])[];
  readonly participantConflicts: readonly (readonly string[])[];
  readonly complete: boolean;
}

/** Trials times facts after which a search for conflicts is not worth its time, unless the caller sets a limit. */
const MAX_WORK = 20_000;

/** Most reasons that a sentence lists. */
const MAX_REASONS = 3;

/**
 * Finds the conflicts among those who must take part.
 *
 * Facts that rule nothing out are left aside at once: they are in no conflict.
 */
export function findConflicts(problem: LayoutProblem, view: LayoutView, limits?: ConflictLimits): FoundConflicts {
  const relevant = relevantFacts(problem, view);
  const oracle = feasibilityOracle(problem, view);
  const found = minimalConflicts(relevant.length, (kept) => oracle((index) => kept[index], relevant), limits);
  const facts = found.conflicts.map((conflict) => conflict.map((index) => relevant[index]));
  const conflicts = facts.map((conflict) => describeConflict(problem, view, conflict));
  const owners = [...new Set(relevant.map((fact) => problem.participantOfFact[fact]))];
  const ownerOf = relevant.map((fact) => owners.indexOf(problem.participantOfFact[fact]));
  const byOwner = minimalConflicts(owners.length, (kept) => oracle((index) => kept[ownerOf[index]], relevant), limits);
  const participantConflicts = byOwner.conflicts.map((conflict) =>
    conflict.map((index) => problem.participants[owners[index]].device),
  );
  return { conflicts, facts, participantConflicts, complete: found.complete && byOwner.complete };
}

/**
 * All minimal conflicts if they are soon found; else those found, and one by deletion if there are none.
 *
 * Sums have very many conflicts of the same size: of sixteen buffers where twelve are allowed any thirteen are too many.
 */
function minimalConflicts(
  factCount: number,
  holds: (kept: readonly boolean[]) => boolean,
  limits: ConflictLimits = {},
): ConflictSets {
  const found = conflictSets(factCount, holds, {
    maxTrials: Math.ceil(MAX_WORK / (1 + factCount)),
    ...limits,
  });
  if (found.complete || found.conflicts.length > 0) return found;
  const kept = Array.from({ length: factCount }, () => true);
  if (holds(kept)) return found;
  // Backwards, so that what comes first by name stays.
  for (let index = factCount - 1; index >= 0; index--) {
    kept[index] = false;
    if (holds(kept)) kept[index] = true;
  }
  return { ...found, conflicts: [kept.flatMap((isKept, index) => (isKept ? [index] : []))] };
}

/** A conflict as data, with its sentence. */
export function describeConflict(problem: LayoutProblem, view: LayoutView, facts: readonly number[]): LayoutConflict {
  const kept = new Uint8Array(problem.facts.length);
  const absent = new Uint8Array(problem.participants.length).fill(1);
  for (const fact of facts) {
    kept[fact] = 1;
    absent[problem.participantOfFact[fact]] = 0;
  }
  const named = facts.map((fact) => problem.facts[fact]);
  const devices = [...new Set(named.map((fact) => fact.device))];
  return { facts: named, devices, why: whyOf(problem, { ...view, kept, absent }) };
}

/** `rkisp1.strideExact and mali.strideAlignmentBytes`. */
export function namesOfFacts(conflict: LayoutConflict): string[] {
  return conflict.facts.map(describeFact);
}

/** Whether something works with some of the facts; remembers what did last, and what kills each candidate. */
function feasibilityOracle(
  problem: LayoutProblem,
  view: LayoutView,
): (isKept: (index: number) => boolean, relevant: readonly number[]) => boolean {
  const candidates = problem.candidates.filter(({ twin }, index) => twin === index);
  const watch = candidates.map((candidate) => watchedKillers(problem, candidate.options, view));
  const suffices = poolOracle(problem, view);
  const kept = new Uint8Array(problem.facts.length);
  const partial: LayoutView = { ...view, kept };
  let witness: FeasibleChoice | undefined;
  return (isKept, relevant) => {
    for (let index = 0; index < relevant.length; index++) kept[relevant[index]] = isKept(index) ? 1 : 0;
    if (!suffices(kept)) return false;
    if (witness !== undefined && stillFits(witness, partial)) return true;
    for (let index = 0; index < candidates.length; index++) {
      const watched = watch[index];
      let killed = false;
      for (let i = 0; i < watched.length && !killed; i++) killed = kept[watched[i]] === 1;
      const choice = killed ? undefined : feasibleChoice(problem, candidates[index], partial);
      if (choice === undefined) continue;
      witness = choice;
      return true;
    }
    return false;
  };
}

/**
 * Whether a pool is large enough at the least that everybody may need: a quick no, the same for every candidate.
 *
 * Of several options each count is taken from the one that needs least.
 */
function poolOracle(problem: LayoutProblem, view: LayoutView): (kept: Uint8Array) => boolean {
  const [first] = problem.candidates;
  if (first === undefined) return () => false;
  const fixed: CountDemand[] = [];
  const open: CountDemand[][][] = [];
  for (const [participant, c] of problem.participants.entries()) {
    if (c.optional || view.absent[participant] === 1) continue;
    const choice = view.choice[participant];
    const options = first.options[participant];
    const possible = choice < 0 ? options.slice(0, c.options.length) : [options[choice]];
    if (possible.length === 1) fixed.push(...countDemands(possible[0]));
    else open.push(possible.map(countDemands));
  }
  const row = neutralRow();
  const own = neutralRow();
  const least = neutralRow();
  const merge = (to: LayoutRow, demands: readonly CountDemand[], kept: Uint8Array): void => {
    for (let i = 0; i < demands.length; i++) {
      if (kept[demands[i].fact] === 1) mergeSlot(to, demands[i].slot, demands[i].value);
    }
  };
  return (kept) => {
    clearCounts(row);
    merge(row, fixed, kept);
    for (const options of open) {
      for (const [index, demands] of options.entries()) {
        clearCounts(own);
        merge(own, demands, kept);
        for (let slot = SLOT.held as number; slot < SLOTS; slot++) {
          const isLess = slot === SLOT.maxBuffers ? own[slot] > least[slot] : own[slot] < least[slot];
          if (index === 0 || isLess) least[slot] = own[slot];
        }
      }
      for (let slot = SLOT.held as number; slot < SLOTS; slot++) mergeSlot(row, slot, least[slot]);
    }
    return buffersNeeded(row) <= row[SLOT.maxBuffers];
  };
}

interface CountDemand {
  readonly fact: number;
  readonly slot: number;
  readonly value: number;
}

function countDemands({ facts, slots, values }: CompiledOption): CountDemand[] {
  return facts.flatMap((fact, index) =>
    slots[index] >= SLOT.held ? [{ fact, slot: slots[index], value: values[index] }] : [],
  );
}

function clearCounts(row: LayoutRow): void {
  for (let slot = SLOT.held as number; slot < SLOT.maxBuffers; slot++) row[slot] = 0;
  row[SLOT.maxBuffers] = Number.POSITIVE_INFINITY;
}

type Options = LayoutProblem['candidates'][number]['options'];

/** The facts each of which alone rules a candidate out, because its owner has no other option. */
export function watchedKillers(problem: LayoutProblem, options: Options, view: LayoutView): readonly number[] {
  const killers: number[] = [];
  for (let participant = 0; participant < options.length; participant++) {
    const { optional, options: own } = problem.participants[participant];
    if (optional || own.length !== 1 || view.absent[participant] === 1) continue;
    const option = options[participant][Math.max(0, view.choice[participant])];
    for (const fact of option.killers) if (view.failing[fact] === 1) killers.push(fact);
  }
  return killers;
}

/**
 * Facts of those who must take part that can rule anything out: by themselves, or with others.
 *
 * Strides, domains and counts do not touch each other but through the choice of options: where all options of everybody
 * together leave a stride, rules on strides are in no conflict; likewise the others.
 */
function relevantFacts(problem: LayoutProblem, view: LayoutView): number[] {
  const relevant = new Uint8Array(problem.facts.length);
  for (const [index, candidate] of problem.candidates.entries()) {
    if (candidate.twin !== index) continue;
    const row = candidate.row.slice();
    const taking = candidate.options.flatMap((options, participant) => {
      const { optional, options: own } = problem.participants[participant];
      return optional || view.absent[participant] === 1 ? [] : options.slice(0, own.length);
    });
    for (const option of taking) mergeClashes(row, option, view);
    const overflows = candidate.mayOverflow;
    const strides = overflows || smallestStride(row, candidate.format, view.widthPixels) === undefined;
    const domains = row[SLOT.implicitDomain] === -1;
    const counts = buffersNeeded(row) > row[SLOT.maxBuffers];
    for (const { killers, facts, slots, clashes } of taking) {
      for (const fact of killers) if (view.failing[fact] === 1) relevant[fact] = 1;
      const mattering = overflows ? facts.length : clashes;
      for (let i = 0; i < mattering; i++) {
        const slot = slots[i];
        const matters = slot >= SLOT.held ? counts : slot === SLOT.implicitDomain ? domains : strides;
        if (matters) relevant[facts[i]] = 1;
      }
    }
  }
  return problem.facts.flatMap((_, fact) => (relevant[fact] === 1 && view.kept[fact] === 1 ? [fact] : []));
}

/** Why nothing works with the facts that are kept. */
function whyOf(problem: LayoutProblem, view: LayoutView): string {
  const reasons = new Map<string, Map<string, string[]>>();
  for (const candidate of problem.candidates) {
    const text = rejectionOf(problem, candidate, view)?.text ?? 'it works';
    const byFormat = reasons.get(text) ?? new Map<string, string[]>();
    byFormat.set(candidate.format.name, [...(byFormat.get(candidate.format.name) ?? []), candidate.modifier]);
    reasons.set(text, byFormat);
  }
  if (reasons.size === 0) return 'no format and modifier is left to consider';
  if (reasons.size === 1) return [...reasons.keys()][0];
  const modifiers = new Map<string, number>();
  for (const { format } of problem.candidates) modifiers.set(format.name, (modifiers.get(format.name) ?? 0) + 1);
  const clauses = [...reasons].map(([text, byFormat]) => {
    const labels = [...byFormat].map(([format, list]) =>
      list.length === modifiers.get(format) ? format : `${format} ${list.slice(0, 3).join('/')}`,
    );
    return `${labels.slice(0, 3).join(', ')}: ${text}`;
  });
  const more = clauses.length - MAX_REASONS;
  return `${clauses.slice(0, MAX_REASONS).join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
}
