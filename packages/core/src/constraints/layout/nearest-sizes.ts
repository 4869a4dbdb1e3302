/**
 * Image sizes near the one asked for, at which a negotiation may succeed.
 *
 * Every rule on the width says that it is a multiple of something or lies within a bound, so that the nearest width that
 * works is a multiple of some rules' common multiple next to the width or to a bound. Those are tried, nearest first.
 */
import { greatestCommonDivisor, leastCommonMultiple } from '../numbers.js';
import type { CompiledCandidate, LayoutProblem } from './compile-layout.js';
import { SLOT } from './layout-slots.js';

/** Widths and heights above are of no use. */
const MAX_PIXELS = 2 ** 24;
/** Most common multiples to consider. */
const MAX_STEPS = 96;

/** Widths other than the one asked for, nearest first; the narrower first among equals. */
export function nearbyWidths(problem: LayoutProblem): number[] {
  const { widthPixels, heightPixels } = problem.image;
  const steps = new Set<number>();
  const bounds = new Set<number>([widthPixels]);
  for (const { field, value } of problem.facts) {
    if (field === 'sizeStep') steps.add((value as readonly number[])[0]);
    if (field === 'minSize' || field === 'maxSize') bounds.add((value as readonly number[])[0]);
    if (field === 'sizes') for (const size of value as readonly (readonly number[])[]) bounds.add(size[0]);
    if (field === 'maxPixels') bounds.add(Math.floor((value as number) / heightPixels));
  }
  for (const candidate of problem.candidates) addStrideWidths(candidate, widthPixels, steps, bounds);
  return nearby(widthPixels, steps, bounds);
}

/** Heights other than the one asked for, nearest first. */
export function nearbyHeights(problem: LayoutProblem): number[] {
  const { widthPixels, heightPixels } = problem.image;
  const steps = new Set<number>();
  const bounds = new Set<number>([heightPixels]);
  for (const { field, value } of problem.facts) {
    if (field === 'sizeStep') steps.add((value as readonly number[])[1]);
    if (field === 'minSize' || field === 'maxSize') bounds.add((value as readonly number[])[1]);
    if (field === 'sizes') for (const size of value as readonly (readonly number[])[]) bounds.add(size[1]);
    if (field === 'maxPixels') bounds.add(Math.floor((value as number) / widthPixels));
  }
  return nearby(heightPixels, steps, bounds);
}

/** What rules on strides say about widths. */
function addStrideWidths(
  { format, row, options }: CompiledCandidate,
  widthPixels: number,
  steps: Set<number>,
  bounds: Set<number>,
): void {
  const { bytesPerBlock, blockPixels } = format.planes[0];
  const pixelsOf = (bytes: number): number => Math.floor((bytes * blockPixels) / bytesPerBlock);
  // So many pixels have a stride that is a multiple of the alignment.
  const stepOf = (bytes: number): number => {
    const scaled = bytes * blockPixels;
    return scaled / greatestCommonDivisor(scaled, bytesPerBlock);
  };
  steps.add(row[SLOT.blockWidth]);
  steps.add(stepOf(row[SLOT.strideAlignment]));
  for (const plane of format.planes) steps.add(plane.subsamplingX * plane.blockPixels);
  const alignments = new Set<number>([1]);
  const limits = new Set<number>();
  let powerOfTwo = false;
  for (const { slots, values } of options.flat()) {
    for (const [index, slot] of slots.entries()) {
      if (slot === SLOT.strideAlignment) alignments.add(values[index]);
      if (slot === SLOT.blockWidth) steps.add(values[index]);
      if (slot === SLOT.maxStride) limits.add(values[index]);
      if (slot === SLOT.minStride) bounds.add(pixelsOf(values[index]));
      if (slot === SLOT.stridePowerOfTwo) powerOfTwo = true;
    }
  }
  for (const alignment of commonMultiples(alignments)) {
    steps.add(stepOf(alignment));
    for (const limit of limits) bounds.add(pixelsOf(Math.floor(limit / alignment) * alignment));
  }
  if (powerOfTwo) {
    const stride = (widthPixels * bytesPerBlock) / blockPixels;
    const below = 2 ** Math.floor(Math.log2(stride));
    for (const power of [below / 2, below, below * 2]) bounds.add(pixelsOf(power));
    for (const limit of limits) bounds.add(pixelsOf(2 ** Math.floor(Math.log2(limit))));
  }
}

function commonMultiples(values: ReadonlySet<number>): Set<number> {
  const all = new Set([1]);
  for (const value of [...values].sort((a, b) => a - b)) {
    for (const other of [...all]) {
      const multiple = leastCommonMultiple(value, other);
      if (multiple <= MAX_PIXELS && all.size < MAX_STEPS) all.add(multiple);
    }
  }
  return all;
}

function nearby(asked: number, steps: ReadonlySet<number>, bounds: ReadonlySet<number>): number[] {
  const multiples = commonMultiples(steps);
  // A bound may itself be one of whole blocks.
  const starts = new Set(bounds);
  for (const bound of bounds) {
    for (const step of multiples) starts.add(Math.floor(bound / step) * step);
  }
  const found = new Set<number>();
  for (const start of starts) {
    for (const step of multiples) {
      found.add(Math.floor(start / step) * step);
      found.add(Math.ceil(start / step) * step);
      if (start !== asked) continue;
      found.add(Math.floor((asked - 1) / step) * step);
      found.add(Math.ceil((asked + 1) / step) * step);
    }
  }
  found.delete(asked);
  const usable = [...found].filter((pixels) => pixels >= 1 && pixels <= MAX_PIXELS);
  return usable.sort((a, b) => Math.abs(a - asked) - Math.abs(b - asked) || a - b);
}
