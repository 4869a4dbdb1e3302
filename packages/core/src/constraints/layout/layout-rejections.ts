/** Why a format and modifier does not work: the first fact that killed it, and a sentence. */
import { isPowerOfTwo } from '../numbers.js';
import { smallestStride, strideBounds } from './arrange.js';
import type { CompiledCandidate, CompiledOption, LayoutProblem, LayoutView } from './compile-layout.js';
import { IMPLICIT_MODIFIER } from './layout-constraints.js';
import { describeValue, type LayoutFact } from './layout-facts.js';
import { type LayoutRow, mergeSlot, SLOT } from './layout-slots.js';
import { aliveOptions, buffersNeeded, fits, killerOf, mergeOption } from './search-layout.js';

/** What ruled out a candidate. */
export interface LayoutRejection {
  /** Index of the fact; undefined when the format alone does not fit, whoever takes part. */
  readonly fact: number | undefined;
  readonly text: string;
}

/**
 * Finds what rules out a candidate, taking the participants in order of name.
 *
 * @returns undefined when nothing does
 */
export function rejectionOf(
  problem: LayoutProblem,
  candidate: CompiledCandidate,
  view: LayoutView,
): LayoutRejection | undefined {
  let frontier: LayoutRow[] = [candidate.row.slice()];
  if (!fits(frontier[0], candidate, view)) {
    return { fact: undefined, text: `an image of ${sizeOf(view)} in ${candidate.format.name} has no exact size` };
  }
  for (const [participant, options] of candidate.options.entries()) {
    if (view.absent[participant] === 1 || problem.participants[participant].optional) continue;
    const alive = aliveOptions(problem, candidate, participant, view);
    if (alive.length === 0) return killedBy(problem, candidate, view, options);
    if (frontier.length === 1 && alive.length === 1) {
      mergeOption(frontier[0], alive[0], view);
      if (fits(frontier[0], candidate, view)) continue;
      return clashOf(candidate, view, rowBefore(problem, candidate, view, participant), alive[0]);
    }
    const next: LayoutRow[] = [];
    for (const before of frontier) {
      for (const option of alive) {
        const merged = before.slice();
        mergeOption(merged, option, view);
        if (fits(merged, candidate, view)) next.push(merged);
      }
    }
    if (next.length === 0) return clashOf(candidate, view, frontier[0], alive[0]);
    // One row will do for the explanation where none is lost; several only where options differ.
    frontier = next.length > 16 ? next.slice(0, 16) : next;
  }
  return undefined;
}

/** All that participants before one demand, each in its first option. */
function rowBefore(
  problem: LayoutProblem,
  candidate: CompiledCandidate,
  view: LayoutView,
  participant: number,
): LayoutRow {
  const row = candidate.row.slice();
  for (let other = 0; other < participant; other++) {
    if (view.absent[other] === 1 || problem.participants[other].optional) continue;
    const [option] = aliveOptions(problem, candidate, other, view);
    if (option !== undefined) mergeOption(row, option, view);
  }
  return row;
}

function killedBy(
  problem: LayoutProblem,
  candidate: CompiledCandidate,
  view: LayoutView,
  options: readonly CompiledOption[],
): LayoutRejection {
  const fact = options.length > 0 ? killerOf(options[0], view) : undefined;
  if (fact === undefined) return { fact, text: 'a participant has no option' };
  const text = killedText(problem.facts[fact], candidate, view);
  const regular = problem.participants[options[0].participant].options.length;
  return { fact, text: regular > 1 ? `${text}, nor do its other options help` : text };
}

/** Which demand of an option does not fit the row, taking them in order. */
function clashOf(
  candidate: CompiledCandidate,
  view: LayoutView,
  before: LayoutRow,
  option: CompiledOption,
): LayoutRejection {
  const row = before.slice();
  let fact: number | undefined;
  for (const [index, slot] of option.slots.entries()) {
    if (view.kept[option.facts[index]] === 0) continue;
    mergeSlot(row, slot, option.values[index]);
    if (fact === undefined && !fits(row, candidate, view)) fact = option.facts[index];
  }
  return { fact, text: clashText(row, candidate, view) };
}

function killedText(fact: LayoutFact, { format, modifier }: CompiledCandidate, view: LayoutView): string {
  const { device, value } = fact;
  const name = fact.option === undefined ? device : `${device}[${fact.option}]`;
  const stated = describeValue(value);
  switch (fact.field) {
    case 'formats':
      return `${name} takes ${stated} but not ${format.name}`;
    case 'modifiers':
      if (stated === IMPLICIT_MODIFIER) return `${name} knows no modifiers, so its ${format.name} is not ${modifier}`;
      return `${name} takes ${format.name} in ${stated} but not in ${modifier}`;
    case 'minSize':
      return `${name} takes no less than ${stated}, and the image is ${sizeOf(view)}`;
    case 'maxSize':
      return `${name} takes at most ${stated}, and the image is ${sizeOf(view)}`;
    case 'sizeStep':
      return `${name} takes multiples of ${stated}, and the image is ${sizeOf(view)}`;
    case 'maxPixels':
      return `${name} takes at most ${stated} pixels, and the image has ${view.widthPixels * view.heightPixels}`;
    case 'sizes':
      return `${name} takes only ${stated}, and the image is ${sizeOf(view)}`;
    case 'equalPlaneStride':
      return `${name} needs planes of equal stride, and those of ${format.name} differ`;
    default:
      return `${name} rules it out by ${fact.field} ${stated}`;
  }
}

function clashText(row: LayoutRow, candidate: CompiledCandidate, view: LayoutView): string {
  if (row[SLOT.implicitDomain] === -1) return 'an implicit layout of one domain means nothing in another';
  const needed = buffersNeeded(row);
  if (needed > row[SLOT.maxBuffers]) {
    const slack = row[SLOT.dedicatedSlack];
    const parts = `${row[SLOT.held]} held + ${slack} of slack + ${row[SLOT.sharedSlack]} of shared slack`;
    const sum = row[SLOT.held] + slack + row[SLOT.sharedSlack];
    const why = sum === needed ? ` (${parts})` : '';
    return `the pool needs ${needed} buffers${why} and may have at most ${row[SLOT.maxBuffers]}`;
  }
  const { format } = candidate;
  if (smallestStride(row, format, view.widthPixels) !== undefined) return 'the buffer would not have an exact size';
  return strideText(row, candidate, view);
}

/** `stride must equal 1296 and be a multiple of 64; 1296 mod 64 = 16`. */
function strideText(row: LayoutRow, { format }: CompiledCandidate, view: LayoutView): string {
  const alignment = row[SLOT.strideAlignment];
  const most = row[SLOT.maxStride];
  if (!Number.isFinite(alignment) || !Number.isFinite(row[SLOT.blockWidth])) {
    return 'the stride alignments have no common multiple below 2^53';
  }
  const { leastBytes, exactBytes } = strideBounds(row, format, view.widthPixels);
  const powerOfTwo = row[SLOT.stridePowerOfTwo] !== 0;
  const needs: string[] = [];
  const facts: string[] = [];
  if (exactBytes !== undefined) {
    needs.push(`equal ${exactBytes}`);
    if (exactBytes % alignment !== 0) {
      needs.push(`be a multiple of ${alignment}`);
      facts.push(`${exactBytes} mod ${alignment} = ${exactBytes % alignment}`);
    }
    if (exactBytes < leastBytes) needs.push(`be at least ${leastBytes}`);
    if (exactBytes > most) needs.push(`be at most ${most}`);
    if (powerOfTwo && !isPowerOfTwo(exactBytes)) {
      needs.push('be a power of two');
      facts.push(`${exactBytes} is none`);
    }
  } else {
    needs.push(`be at least ${leastBytes}`);
    if (alignment > 1) needs.push(`a multiple of ${alignment}`);
    if (powerOfTwo) needs.push('a power of two');
    if (powerOfTwo && !isPowerOfTwo(alignment)) facts.push(`no multiple of ${alignment} is a power of two`);
    else {
      if (most !== Number.POSITIVE_INFINITY) needs.push(`at most ${most}`);
      const unlimited = row.slice();
      unlimited[SLOT.maxStride] = Number.POSITIVE_INFINITY;
      const smallest = smallestStride(unlimited, format, view.widthPixels);
      if (smallest !== undefined && smallest !== leastBytes) facts.push(`the smallest such is ${smallest}`);
    }
  }
  return [`stride must ${joinAnd(needs)}`, ...facts].join('; ');
}

function joinAnd(parts: readonly string[]): string {
  return parts.length <= 1 ? parts.join('') : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;
}

function sizeOf(view: LayoutView): string {
  return `${view.widthPixels}x${view.heightPixels}`;
}
