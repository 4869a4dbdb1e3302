/**
 * Finds the cheapest way in which all participants can take part in one format and modifier.
 *
 * Options multiply: sixteen participants with three each make 43 million combinations. They are not tried one by one.
 * Participants are merged one after the other, and of the rows so far only those survive which no other one beats, that is
 * demands no more in every slot at no higher cost. Alignments form few least common multiples, so that few rows survive,
 * and the result is exact: whatever completes a row also completes one that demands less. A bound from a greedy first
 * run cuts off what already costs more.
 *
 * Cost is, in this order: participants left out, then the sum of the costs of options and formats, of preferences not
 * met, and the padding as a share of the pixels' bytes (1 = as much padding as pixels).
 */
import { leastCommonMultiple } from '../numbers.js';
import { type Arrangement, arrange, smallestStride } from './arrange.js';
import {
  COST_UNIT,
  type CompiledCandidate,
  type CompiledOption,
  type CompiledPreference,
  type LayoutProblem,
  type LayoutView,
} from './compile-layout.js';
import { payloadBytes } from './formats.js';
import { demandsNoMore, type LayoutRow, mergeSlot, SLOT } from './layout-slots.js';

/** A way that works. Costs in millionths. */
export interface LayoutSolution {
  readonly candidate: CompiledCandidate;
  /** By participant: the option taken; undefined = left out. */
  readonly options: readonly (CompiledOption | undefined)[];
  readonly row: LayoutRow;
  readonly firstStrideBytes: number;
  readonly arrangement: Arrangement;
  readonly leftOut: number;
  readonly optionCost: number;
  readonly paddingCost: number;
  readonly unmet: readonly CompiledPreference[];
  /** Sum of the costs. */
  readonly cost: number;
}

/** Padding costs no more than this, so that sums stay exact: a million times the image. */
const MAX_PADDING_COST = COST_UNIT * 1_000_000;

/** Buffers that the merged counts need: what is held and the slack, no fewer than any minimum, and at least one. */
export function buffersNeeded(row: LayoutRow): number {
  return Math.max(1, row[SLOT.minBuffers], row[SLOT.held] + row[SLOT.dedicatedSlack] + row[SLOT.sharedSlack]);
}

/** Whether an option is ruled out by a fact that counts. */
export function killerOf(option: CompiledOption, view: LayoutView): number | undefined {
  for (const fact of option.killers) {
    if (view.kept[fact] === 1 && view.failing[fact] === 1) return fact;
  }
  return undefined;
}

/** Merges what an option demands, as far as it counts, into a row. */
export function mergeOption(row: LayoutRow, { facts, slots, values }: CompiledOption, { kept }: LayoutView): void {
  for (let i = 0; i < facts.length; i++) {
    if (kept[facts[i]] === 1) mergeSlot(row, slots[i], values[i]);
  }
}

/** Merges of it what can clash. */
export function mergeClashes(
  row: LayoutRow,
  { facts, slots, values, clashes }: CompiledOption,
  { kept }: LayoutView,
): void {
  for (let i = 0; i < clashes; i++) {
    if (kept[facts[i]] === 1) mergeSlot(row, slots[i], values[i]);
  }
}

/** The options that a participant may take and that nothing rules out. */
export function aliveOptions(
  problem: LayoutProblem,
  candidate: CompiledCandidate,
  participant: number,
  view: LayoutView,
): readonly CompiledOption[] {
  const options = candidate.options[participant];
  const choice = view.choice[participant];
  if (choice >= 0) return killerOf(options[choice], view) === undefined ? [options[choice]] : [];
  const regular = problem.participants[participant].options.length;
  if (regular === 1 && options.length === 1) return killerOf(options[0], view) === undefined ? options : NONE;
  const alive: CompiledOption[] = [];
  for (let index = 0; index < regular; index++) {
    if (killerOf(options[index], view) === undefined) alive.push(options[index]);
  }
  return alive;
}

const NONE: readonly CompiledOption[] = [];

/** Whether some layout and some pool meet a row. Merging more never makes it true again. */
export function fits(row: LayoutRow, candidate: CompiledCandidate, view: LayoutView): boolean {
  if (row[SLOT.implicitDomain] === -1 || buffersNeeded(row) > row[SLOT.maxBuffers]) return false;
  const stride = smallestStride(row, candidate.format, view.widthPixels);
  if (stride === undefined) return false;
  return !candidate.mayOverflow || arrange(row, candidate.format, view.heightPixels, stride) !== undefined;
}

/** Whether all participants that are not optional can take part. */
export function isFeasible(problem: LayoutProblem, candidate: CompiledCandidate, view: LayoutView): boolean {
  return feasibleChoice(problem, candidate, view) !== undefined;
}

/** A way that works, whatever it costs. */
export interface FeasibleChoice {
  readonly candidate: CompiledCandidate;
  /** Of those who must take part. */
  readonly options: readonly CompiledOption[];
}

/** Whether a way that worked still does, with other facts. */
export function stillFits({ candidate, options }: FeasibleChoice, view: LayoutView): boolean {
  const row = candidate.row.slice();
  for (const option of options) {
    if (killerOf(option, view) !== undefined) return false;
    if (candidate.mayOverflow) mergeOption(row, option, view);
    else mergeClashes(row, option, view);
  }
  return fits(row, candidate, view);
}

interface FeasibleState {
  readonly row: LayoutRow;
  readonly option: CompiledOption | undefined;
  readonly previous: FeasibleState | undefined;
}

/** Finds a way in which all participants that are not optional can take part. */
export function feasibleChoice(
  problem: LayoutProblem,
  candidate: CompiledCandidate,
  view: LayoutView,
): FeasibleChoice | undefined {
  const merge = candidate.mayOverflow ? mergeOption : mergeClashes;
  const row = candidate.row.slice();
  const open: (readonly CompiledOption[])[] = [];
  const options: CompiledOption[] = [];
  for (let participant = 0; participant < candidate.options.length; participant++) {
    if (view.absent[participant] === 1 || problem.participants[participant].optional) continue;
    const alive = aliveOptions(problem, candidate, participant, view);
    if (alive.length === 0) return undefined;
    if (alive.length > 1) {
      open.push(alive);
      continue;
    }
    merge(row, alive[0], view);
    options.push(alive[0]);
  }
  if (!fits(row, candidate, view)) return undefined;
  let frontier: FeasibleState[] = [{ row, option: undefined, previous: undefined }];
  for (const alive of open) {
    const next: FeasibleState[] = [];
    for (const previous of frontier) {
      for (const option of alive) {
        const merged = previous.row.slice();
        merge(merged, option, view);
        if (next.some((other) => demandsNoMore(other.row, merged)) || !fits(merged, candidate, view)) continue;
        retain(next, (other) => !demandsNoMore(merged, other.row));
        next.push({ row: merged, option, previous });
      }
    }
    if (next.length === 0) return undefined;
    frontier = next;
  }
  for (let state: FeasibleState | undefined = frontier[0]; state?.option !== undefined; state = state.previous) {
    options.push(state.option);
  }
  return { candidate, options };
}

/** The cheapest way, or undefined when there is none. */
export function cheapest(
  problem: LayoutProblem,
  candidate: CompiledCandidate,
  view: LayoutView,
): LayoutSolution | undefined {
  const start: State = { row: candidate.row.slice(), leftOut: 0, cost: 0, preferences: [], previous: undefined };
  const open: Choice[] = [];
  const fixed: (CompiledOption | undefined)[] = [];
  for (let participant = 0; participant < candidate.options.length; participant++) {
    if (view.absent[participant] === 1) continue;
    const optional = problem.participants[participant].optional === true;
    const alive = aliveOptions(problem, candidate, participant, view);
    if (alive.length === 0 && !optional) return undefined;
    if (alive.length === 1 && !optional) {
      fixed[participant] = alive[0];
      mergeOption(start.row, alive[0], view);
      start.cost += alive[0].cost;
      start.preferences = start.preferences.concat(alive[0].preferences);
    } else if (alive.length === 0) {
      fixed[participant] = undefined;
      start.leftOut += 1;
    } else open.push({ participant, options: optional ? [...alive, undefined] : alive });
  }
  if (!fits(start.row, candidate, view)) return undefined;
  const search: Search = { candidate, view, rest: cheapestRest(open), payload: payloadOf(candidate, view) };
  const finals = open.length === 0 ? [start] : explore(search, start, open, greedyBound(search, start, open));
  let best: LayoutSolution | undefined;
  for (const state of finals) {
    const options = [...fixed];
    for (let at = state; at.previous !== undefined; at = at.previous) options[at.participant ?? 0] = at.option;
    const solution = finish(search, state, options);
    if (solution !== undefined && (best === undefined || isCheaper(solution, best))) best = solution;
  }
  return best;
}

/** Whether a costs less than b: fewer left out, or as few at a lower cost. */
export function isCheaper(a: Pick<State, 'leftOut' | 'cost'>, b: Pick<State, 'leftOut' | 'cost'>): boolean {
  return a.leftOut < b.leftOut || (a.leftOut === b.leftOut && a.cost < b.cost);
}

interface State {
  readonly row: LayoutRow;
  leftOut: number;
  /** Millionths; without padding and preferences. */
  cost: number;
  preferences: readonly CompiledPreference[];
  readonly previous: State | undefined;
  readonly participant?: number;
  readonly option?: CompiledOption;
}

interface Choice {
  readonly participant: number;
  readonly options: readonly (CompiledOption | undefined)[];
}

interface Search {
  readonly candidate: CompiledCandidate;
  readonly view: LayoutView;
  /** By choices made: the least that the choices to come cost. */
  readonly rest: readonly number[];
  /** Bytes of the pixels alone. */
  readonly payload: number;
}

function payloadOf({ format }: CompiledCandidate, { widthPixels, heightPixels }: LayoutView): number {
  return payloadBytes(format, widthPixels, heightPixels);
}

function cheapestRest(open: readonly Choice[]): number[] {
  const rest = [0];
  for (const { options } of open.toReversed()) {
    rest.unshift(rest[0] + Math.min(...options.map((option) => option?.cost ?? 0)));
  }
  return rest;
}

function extend(search: Search, state: State, participant: number, option: CompiledOption | undefined): State {
  const { row, leftOut, cost, preferences } = state;
  if (option === undefined) return { ...state, leftOut: leftOut + 1, previous: state, participant, option };
  const merged = row.slice();
  mergeOption(merged, option, search.view);
  const wishes = option.preferences.length === 0 ? preferences : preferences.concat(option.preferences);
  return {
    row: merged,
    leftOut,
    cost: cost + option.cost,
    preferences: wishes,
    previous: state,
    participant,
    option,
  };
}

/** No completion of a state costs less; undefined when there is none. */
function lowerBound(search: Search, state: State, made: number): { leftOut: number; cost: number } | undefined {
  if (!fits(state.row, search.candidate, search.view)) return undefined;
  const stride = smallestStride(state.row, search.candidate.format, search.view.widthPixels);
  const padding = stride === undefined ? undefined : paddingOf(search, state.row, stride);
  if (padding === undefined) return undefined;
  return { leftOut: state.leftOut, cost: state.cost + padding.cost + search.rest[made] };
}

function paddingOf(
  { candidate, view, payload }: Search,
  row: LayoutRow,
  stride: number,
): { readonly cost: number; readonly arrangement: Arrangement } | undefined {
  const arrangement = arrange(row, candidate.format, view.heightPixels, stride);
  if (arrangement === undefined) return undefined;
  const share = (arrangement.sizeBytes - payload) / payload;
  return { cost: Math.min(MAX_PADDING_COST, Math.round(share * COST_UNIT)), arrangement };
}

/** What it costs to choose the cheapest at every step; undefined when that leads nowhere. */
function greedyBound(search: Search, start: State, open: readonly Choice[]): LayoutSolution | undefined {
  let state = start;
  for (const [index, { participant, options }] of open.entries()) {
    let best: { readonly state: State; readonly leftOut: number; readonly cost: number } | undefined;
    for (const option of options) {
      const next = extend(search, state, participant, option);
      const bound = lowerBound(search, next, index + 1);
      if (bound !== undefined && (best === undefined || isCheaper(bound, best))) best = { state: next, ...bound };
    }
    if (best === undefined) return undefined;
    state = best.state;
  }
  return finish(search, state, []);
}

/** All states after the last choice that may be the cheapest. */
function explore(search: Search, start: State, open: readonly Choice[], bound: LayoutSolution | undefined): State[] {
  let frontier = [start];
  for (const [index, { participant, options }] of open.entries()) {
    const next: State[] = [];
    for (const state of frontier) {
      for (const option of options) {
        const extended = extend(search, state, participant, option);
        const least = lowerBound(search, extended, index + 1);
        if (least === undefined || (bound !== undefined && isCheaper(bound, least))) continue;
        if (next.some((other) => beats(other, extended))) continue;
        retain(next, (other) => !beats(extended, other));
        next.push(extended);
      }
    }
    frontier = next;
  }
  return frontier;
}

/** Whether a state is at least as good as another in all that can still matter. */
function beats(a: State, b: State): boolean {
  if (a.leftOut > b.leftOut || !demandsNoMore(a.row, b.row)) return false;
  if (a.leftOut < b.leftOut) return true;
  if (a.cost > b.cost) return false;
  return a.preferences.every((wish) => b.preferences.includes(wish));
}

function retain<T>(list: T[], keep: (entry: T) => boolean): void {
  let length = 0;
  for (const entry of list) {
    if (keep(entry)) list[length++] = entry;
  }
  list.length = length;
}

/**
 * Chooses the stride: the cheapest of those that meet a set of wishes, padding against wishes.
 *
 * The best stride is the smallest that meets exactly its set of wishes, so that the least common multiples of the sets
 * are all there is to try.
 */
function finish(
  search: Search,
  state: State,
  options: readonly (CompiledOption | undefined)[],
): LayoutSolution | undefined {
  const { candidate, view } = search;
  const { row, leftOut } = state;
  const alignments = new Set([row[SLOT.strideAlignment]]);
  for (const { alignmentBytes } of state.preferences) {
    for (const alignment of [...alignments]) alignments.add(leastCommonMultiple(alignment, alignmentBytes));
  }
  let best: LayoutSolution | undefined;
  for (const alignment of alignments) {
    const stride = smallestStride(row, candidate.format, view.widthPixels, alignment);
    if (stride === undefined) continue;
    const padding = paddingOf(search, row, stride);
    if (padding === undefined) continue;
    const unmet = state.preferences.filter((wish) => stride % wish.alignmentBytes !== 0);
    const cost = unmet.reduce((sum, wish) => sum + wish.cost, state.cost + padding.cost);
    if (best !== undefined && (cost > best.cost || (cost === best.cost && stride >= best.firstStrideBytes))) continue;
    best = {
      candidate,
      options,
      row,
      firstStrideBytes: stride,
      arrangement: padding.arrangement,
      leftOut,
      optionCost: state.cost,
      paddingCost: padding.cost,
      unmet,
      cost,
    };
  }
  return best;
}
