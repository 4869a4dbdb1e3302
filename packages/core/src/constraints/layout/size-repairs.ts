/** The nearest sizes at which a negotiation would succeed. */
import { type CompiledCandidate, type LayoutProblem, type LayoutView, viewOf } from './compile-layout.js';
import { meetsSizeRule } from './layout-facts.js';
import { type LayoutRepair, type RepairSearch, resultOf, rounded, solve } from './layout-repair.js';
import type { LayoutRow } from './layout-slots.js';
import { nearbyHeights, nearbyWidths } from './nearest-sizes.js';
import { fits, isFeasible, mergeOption } from './search-layout.js';

/** Most sizes tried in each direction of one dimension. */
const MAX_SIZES = 400;

/** The nearest sizes that work: narrower and wider, lower and higher, or, if neither helps, both. */
export function sizeRepairs(search: RepairSearch): LayoutRepair[] {
  const { problem } = search;
  const { widthPixels, heightPixels } = problem.image;
  // Another size mends nothing when a conflict would be there at any size.
  if (search.conflicts.some((conflict) => !conflict.some((fact) => dependsOnSize(problem, fact)))) return [];
  const works = sizeOracle(problem, search.view);
  const found: [number, number][] = [];
  const tryAll = (sizes: readonly (readonly [number, number])[]): void => {
    const size = sizes.slice(0, MAX_SIZES).find(([width, height]) => works(width, height));
    if (size !== undefined) found.push([size[0], size[1]]);
  };
  const widths = nearbyWidths(problem);
  const heights = nearbyHeights(problem);
  for (const side of [-1, 1]) {
    tryAll(widths.filter((w) => Math.sign(w - widthPixels) === side).map((w) => [w, heightPixels] as const));
    tryAll(heights.filter((h) => Math.sign(h - heightPixels) === side).map((h) => [widthPixels, h] as const));
  }
  if (found.length === 0) {
    const both = widths.slice(0, 40).flatMap((w) => heights.slice(0, 40).map((h) => [w, h] as const));
    for (const { field, value } of problem.facts) {
      if (field === 'sizes') both.push(...(value as readonly (readonly [number, number])[]));
    }
    const change = ([w, h]: readonly [number, number]): number => sizeCost(w, h, widthPixels, heightPixels);
    tryAll(both.sort((a, b) => change(a) - change(b) || a[0] - b[0]));
  }
  return found.flatMap(([width, height]): LayoutRepair[] => {
    const solution = solve(problem, sizedView(search.view, problem, width, height));
    if (solution === undefined) return [];
    const cost = sizeCost(width, height, widthPixels, heightPixels);
    const result = resultOf(solution);
    const what =
      height === heightPixels ? `width ${width}` : width === widthPixels ? `height ${height}` : `${width}x${height}`;
    const change = `${what} in place of ${widthPixels}x${heightPixels}: stride ${result.strideBytes}`;
    return [{ kind: 'size', widthPixels: width, heightPixels: height, change, cost, result }];
  });
}

/** The share of pixels added and lost. */
function sizeCost(width: number, height: number, askedWidth: number, askedHeight: number): number {
  const shared = Math.min(width, askedWidth) * Math.min(height, askedHeight);
  const asked = askedWidth * askedHeight;
  return rounded((width * height - shared + (asked - shared)) / asked);
}

function sizedView(view: LayoutView, problem: LayoutProblem, widthPixels: number, heightPixels: number): LayoutView {
  const sized = viewOf(problem, { ...problem.image, widthPixels, heightPixels });
  return { ...sized, kept: view.kept, absent: view.absent, choice: view.choice };
}

/**
 * Whether something works at a size; quick where it does not.
 *
 * Of candidates in which everybody has one option, all but the size is merged beforehand.
 */
function sizeOracle(problem: LayoutProblem, view: LayoutView): (widthPixels: number, heightPixels: number) => boolean {
  const failing = view.failing.slice();
  const sizeFacts = problem.isSizeFact.flatMap((isSize, fact) => (isSize && view.kept[fact] === 1 ? [fact] : []));
  const merged: { readonly candidate: CompiledCandidate; readonly row: LayoutRow; readonly killers: number[] }[] = [];
  const open: CompiledCandidate[] = [];
  for (const [index, candidate] of problem.candidates.entries()) {
    if (candidate.twin !== index) continue;
    const row = candidate.row.slice();
    const killers: number[] = [];
    let isOpen = false;
    for (const [participant, options] of candidate.options.entries()) {
      const c = problem.participants[participant];
      if (c.optional || view.absent[participant] === 1) continue;
      if (c.options.length !== 1) isOpen = true;
      mergeOption(row, options[0], view);
      killers.push(...options[0].killers.filter((fact) => view.kept[fact] === 1));
    }
    if (isOpen) open.push(candidate);
    else if (killers.every((fact) => problem.isSizeFact[fact])) merged.push({ candidate, row, killers });
  }
  // Rules that all candidates have, such as the largest size of a device: one look refuses most sizes.
  const [first] = merged;
  const everywhere = open.length > 0 || first === undefined ? [] : first.killers;
  const universal = everywhere.filter((fact) => merged.every((one) => one.killers.includes(fact)));
  const fails = (fact: number): boolean => failing[fact] === 1;
  return (widthPixels, heightPixels) => {
    for (const fact of universal) if (!meetsSizeRule(problem.facts[fact], widthPixels, heightPixels)) return false;
    for (const fact of sizeFacts) failing[fact] = meetsSizeRule(problem.facts[fact], widthPixels, heightPixels) ? 0 : 1;
    const sized = { ...view, widthPixels, heightPixels, failing };
    if (merged.some(({ candidate, row, killers }) => !killers.some(fails) && fits(row, candidate, sized))) return true;
    return open.some((candidate) => isFeasible(problem, candidate, sized));
  };
}

const SIZE_DEPENDENT: readonly string[] = [
  ...['minSize', 'maxSize', 'sizeStep', 'maxPixels', 'sizes', 'block'],
  ...['strideExact', 'maxStrideBytes', 'stridePowerOfTwo'],
];

function dependsOnSize(problem: LayoutProblem, fact: number): boolean {
  return SIZE_DEPENDENT.includes(problem.facts[fact].field);
}
