/** The minimal conflicts of a negotiation that cannot succeed, at the level of facts and of participants. */
import { type ConflictLimits, type ConflictSets, conflictSets } from '../conflict-sets.js';
import type { LayoutProblem, LayoutView } from './compile-layout.js';
import { describeFact } from './layout-facts.js';
import { rejectionOf } from './layout-rejections.js';
import type { LayoutConflict } from './layout-result.js';
import { mergeSlot, neutralRow, SLOT } from './layout-slots.js';
import { buffersNeeded, isFeasible } from './search-layout.js';

/** Conflicts as facts by index. */
export interface FoundConflicts {
  readonly conflicts: readonly LayoutConflict[];
  /** By conflict: the indices of its facts. */
  readonly facts: readonly (readonly number[])[];
  readonly participantConflicts: readonly (readonly string[])[];
  readonly complete: boolean;
}

/** Steps after which a search for conflicts is not worth its time, unless the caller sets a limit. */
const MAX_TRIALS = 1_000;

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
  const found = conflictSets(factCount, holds, { maxTrials: MAX_TRIALS, ...limits });
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
  const pool = poolDemands(problem, view);
  const kept = new Uint8Array(problem.facts.length);
  const partial: LayoutView = { ...view, kept };
  const row = neutralRow();
  const poolSuffices = (): boolean => {
    row.fill(0, SLOT.held);
    row[SLOT.maxBuffers] = Number.POSITIVE_INFINITY;
    for (const { fact, slot, value } of pool) if (kept[fact] === 1) mergeSlot(row, slot, value);
    return buffersNeeded(row) <= row[SLOT.maxBuffers];
  };
  let witness = 0;
  const works = (index: number): boolean => {
    const watched = watch[index];
    for (let i = 0; i < watched.length; i++) {
      if (kept[watched[i]] === 1) return false;
    }
    return isFeasible(problem, candidates[index], partial);
  };
  return (isKept, relevant) => {
    for (let index = 0; index < relevant.length; index++) kept[relevant[index]] = isKept(index) ? 1 : 0;
    if (candidates.length === 0 || !poolSuffices()) return false;
    if (works(witness)) return true;
    for (let index = 0; index < candidates.length; index++) {
      if (index === witness || !works(index)) continue;
      witness = index;
      return true;
    }
    return false;
  };
}

/** Buffer counts of those who have no choice: they are the same for every candidate. */
function poolDemands(
  { candidates, participants }: LayoutProblem,
  view: LayoutView,
): { readonly fact: number; readonly slot: number; readonly value: number }[] {
  const [first] = candidates;
  return participants.flatMap((c, participant) => {
    if (first === undefined || c.optional || c.options.length !== 1 || view.absent[participant] === 1) return [];
    const { facts, slots, values } = first.options[participant][Math.max(0, view.choice[participant])];
    return facts.flatMap((fact, index) =>
      slots[index] >= SLOT.held ? [{ fact, slot: slots[index], value: values[index] }] : [],
    );
  });
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

/** Facts of those who must take part that can rule anything out: by themselves, or with others. */
function relevantFacts(problem: LayoutProblem, view: LayoutView): number[] {
  const relevant = new Uint8Array(problem.facts.length);
  for (const [index, candidate] of problem.candidates.entries()) {
    if (candidate.twin !== index) continue;
    for (let participant = 0; participant < candidate.options.length; participant++) {
      const { optional, options: own } = problem.participants[participant];
      if (optional || view.absent[participant] === 1) continue;
      for (let place = 0; place < own.length; place++) {
        const { killers, facts, clashes } = candidate.options[participant][place];
        for (const fact of killers) if (view.failing[fact] === 1) relevant[fact] = 1;
        const mattering = candidate.mayOverflow ? facts.length : clashes;
        for (let i = 0; i < mattering; i++) relevant[facts[i]] = 1;
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
