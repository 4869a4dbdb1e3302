/**
 * Layout constraints as single facts, so that a conflict can be cut down to the ones that matter.
 *
 * Every fact only ever takes possibilities away: without it, whatever was possible still is. Abilities are stated by the
 * list that bounds them: `formats` as a whole is one demand, `modifiers` of a format another; without the former a
 * participant takes any format, without the latter any modifier.
 */

import { leastCommonMultiple } from '../numbers.js';
import { largestStrideFor, leastStrideFor, strideAlignmentFor } from './arrange.js';
import { hasEqualStrides, type PixelFormat } from './formats.js';
import {
  ANY_MODIFIER,
  type BufferCounts,
  type FormatSupport,
  IMPLICIT_MODIFIER,
  type LayoutConstraints,
  type LayoutOption,
  type LayoutRules,
  LINEAR_MODIFIER,
  type PlaneRules,
} from './layout-constraints.js';
import { SLOT } from './layout-slots.js';

/** A field that states a demand; of `planes`, one for each plane and rule. */
export type LayoutField =
  | 'formats'
  | 'modifiers'
  | 'implicitDomain'
  | Exclude<keyof LayoutRules, 'planes'>
  | `planes[${number}].${keyof PlaneRules}`
  | keyof BufferCounts;

/** What a field holds. */
export type LayoutValue =
  | number
  | boolean
  | string
  | readonly string[]
  | readonly number[]
  | readonly (readonly number[])[]
  | { readonly atLeastStrideOr: number };

/** One demand of one participant. */
export interface LayoutFact {
  readonly device: string;
  /** The option that states it, where the participant has several or names it. */
  readonly option?: string;
  /** The format it is restricted to, if it is. */
  readonly format?: string;
  /** The modifier it is restricted to, if it is. */
  readonly modifier?: string;
  readonly field: LayoutField;
  readonly value: LayoutValue;
}

/** A fact by its path: `rkisp1.strideExact`, `rkisp1[selfpath].NV12.maxSize`. */
export function describeFact(fact: LayoutFact): string {
  const { device, option, format, modifier, field } = fact;
  const scope = [format, modifier].filter((part) => part !== undefined);
  return [option === undefined ? device : `${device}[${option}]`, ...scope, field].join('.');
}

/** A value in a sentence: `64`, `1920x1080`, `NV12, YUYV`. */
export function describeValue(value: LayoutValue): string {
  if (Array.isArray(value)) {
    if (value.length === 2 && value.every((part) => typeof part === 'number')) return value.join('x');
    return value.map((entry) => (Array.isArray(entry) ? entry.join('x') : String(entry))).join(', ');
  }
  if (typeof value === 'object')
    return `the stride, at least ${(value as { atLeastStrideOr: number }).atLeastStrideOr}`;
  return String(value);
}

/** The name of an option in facts and results: its own, else its place where there are several. */
export function optionName(option: LayoutOption, index: number, count: number): string | undefined {
  return option.name ?? (count > 1 ? `#${index + 1}` : undefined);
}

/** All that a participant may take: its options, then its alternatives. */
export function optionsOf(c: LayoutConstraints): readonly LayoutOption[] {
  return c.alternatives === undefined ? c.options : [...c.options, ...c.alternatives];
}

/** A rule and its value. */
export interface RuleStatement {
  readonly field: LayoutField;
  readonly value: LayoutValue;
}

const RULE_FIELDS = [
  'strideAlignmentBytes',
  'strideAlignmentPixels',
  'minStrideBytes',
  'maxStrideBytes',
  'strideExact',
  'stridePowerOfTwo',
  'equalPlaneStride',
  'heightAlignment',
  'offsetAlignmentBytes',
  'block',
  'trailingBytes',
  'sizeAlignmentBytes',
  'minSize',
  'maxSize',
  'sizeStep',
  'maxPixels',
  'sizes',
] as const satisfies readonly Exclude<keyof LayoutRules, 'planes'>[];

const PLANE_FIELDS = [
  'strideAlignmentBytes',
  'rowAlignment',
  'offsetAlignmentBytes',
  'extraBytes',
] as const satisfies readonly (keyof PlaneRules)[];

/** The rules that are stated, in a fixed order. A flag that is false states nothing. */
export function ruleStatements(rules: LayoutRules | undefined): RuleStatement[] {
  if (rules === undefined) return [];
  const statements: RuleStatement[] = [];
  for (const field of RULE_FIELDS) {
    const value = rules[field];
    if (value !== undefined && value !== false) statements.push({ field, value });
  }
  rules.planes?.forEach((planeRules, plane) => {
    for (const field of PLANE_FIELDS) {
      const value = planeRules[field];
      if (value !== undefined) statements.push({ field: `planes[${plane}].${field}`, value });
    }
  });
  return statements;
}

const COUNT_SLOTS = {
  held: SLOT.held,
  dedicatedSlack: SLOT.dedicatedSlack,
  sharedSlack: SLOT.sharedSlack,
  min: SLOT.minBuffers,
  max: SLOT.maxBuffers,
} as const satisfies Record<keyof BufferCounts, number>;

/** The buffer counts that are stated, with the slot each goes to. */
export function countStatements(counts: BufferCounts | undefined): (RuleStatement & { readonly slot: number })[] {
  if (counts === undefined) return [];
  return (Object.keys(COUNT_SLOTS) as (keyof BufferCounts)[]).flatMap((field) => {
    const value = counts[field];
    return value === undefined ? [] : [{ field, value, slot: COUNT_SLOTS[field] }];
  });
}

/** The modifiers a participant takes a format in; it takes any if ANY_MODIFIER is among them. */
export function modifiersOf(support: FormatSupport, option: LayoutOption): readonly string[] {
  if (support.modifiers !== undefined) return support.modifiers;
  return option.implicitIsLinear ? [LINEAR_MODIFIER, IMPLICIT_MODIFIER] : [IMPLICIT_MODIFIER];
}

/** Whether a list of modifiers has that one. */
export function takesModifier(modifiers: readonly string[], modifier: string): boolean {
  return modifiers.includes(modifier) || modifiers.includes(ANY_MODIFIER);
}

/** What a rule demands of the merged row: slots and values, flat. Nothing, when it only speaks of the image's size. */
export function demandsOf(
  { field, value }: RuleStatement,
  format: PixelFormat,
): readonly (readonly [number, number])[] {
  const planes = format.planes.map((_, plane) => plane);
  const number = value as number;
  switch (field) {
    case 'strideAlignmentBytes':
      return [[SLOT.strideAlignment, alignmentForAll(format, number)]];
    case 'strideAlignmentPixels':
      return [[SLOT.strideAlignment, pixelAlignment(format, number)]];
    case 'minStrideBytes':
      return [[SLOT.minStride, Math.max(...planes.map((plane) => leastStrideFor(format, plane, number)))]];
    case 'maxStrideBytes':
      return [[SLOT.maxStride, Math.min(...planes.map((plane) => largestStrideFor(format, plane, number)))]];
    case 'strideExact':
      return [[SLOT.strideExact, 1]];
    case 'stridePowerOfTwo':
      return [[SLOT.stridePowerOfTwo, 1]];
    case 'heightAlignment':
      return [[SLOT.heightAlignment, number]];
    case 'offsetAlignmentBytes':
      return planes.map((plane) => [SLOT.offsetAlignment + plane, number] as const);
    case 'block': {
      const [width, height] = value as readonly [number, number];
      return [
        [SLOT.blockWidth, width],
        [SLOT.blockHeight, height],
      ];
    }
    case 'trailingBytes':
      if (typeof value === 'number') return [[SLOT.trailingBytes, value]];
      return [
        [SLOT.trailingBytes, (value as { atLeastStrideOr: number }).atLeastStrideOr],
        [SLOT.trailingStride, 1],
      ];
    case 'sizeAlignmentBytes':
      return [[SLOT.sizeAlignment, number]];
    default:
      return planeDemandsOf(field, number, format);
  }
}

function planeDemandsOf(field: LayoutField, value: number, format: PixelFormat): [number, number][] {
  const [, index, rule] = /^planes\[(\d+)\]\.(\w+)$/.exec(field) ?? [];
  const plane = Number(index);
  if (rule === undefined || plane >= format.planes.length) return [];
  switch (rule as keyof PlaneRules) {
    case 'strideAlignmentBytes':
      return [[SLOT.strideAlignment, strideAlignmentFor(format, plane, value)]];
    case 'rowAlignment':
      return [[SLOT.rowAlignment + plane, value]];
    case 'offsetAlignmentBytes':
      return [[SLOT.offsetAlignment + plane, value]];
    case 'extraBytes':
      return [[SLOT.extraBytes + plane, value]];
  }
}

/** What the first stride must be a multiple of so that every plane's stride is a multiple of the alignment, in bytes. */
export function alignmentForAll(format: PixelFormat, alignmentBytes: number): number {
  let alignment = 1;
  for (let plane = 0; plane < format.planes.length; plane++) {
    alignment = leastCommonMultiple(alignment, strideAlignmentFor(format, plane, alignmentBytes));
  }
  return alignment;
}

/** So many pixels of the first plane, as the smallest whole multiple in bytes. */
function pixelAlignment(format: PixelFormat, pixels: number): number {
  const { bytesPerBlock, blockPixels } = format.planes[0];
  return (leastCommonMultiple(pixels, blockPixels) / blockPixels) * bytesPerBlock;
}

/** Whether a rule alone rules out the format. */
export function rulesOutFormat({ field }: RuleStatement, format: PixelFormat): boolean {
  return field === 'equalPlaneStride' && !hasEqualStrides(format);
}

/** Whether a rule speaks of the size of the image. */
export function isSizeRule(field: LayoutField): boolean {
  return SIZE_FIELDS.has(field);
}

const SIZE_FIELDS: ReadonlySet<LayoutField> = new Set(['minSize', 'maxSize', 'sizeStep', 'maxPixels', 'sizes']);

/** Whether an image of that size meets a rule on sizes. */
export function meetsSizeRule({ field, value }: RuleStatement, widthPixels: number, heightPixels: number): boolean {
  const [width, height] = Array.isArray(value) ? (value as readonly number[]) : [0, 0];
  switch (field) {
    case 'minSize':
      return widthPixels >= width && heightPixels >= height;
    case 'maxSize':
      return widthPixels <= width && heightPixels <= height;
    case 'sizeStep':
      return widthPixels % width === 0 && heightPixels % height === 0;
    case 'maxPixels':
      return widthPixels * heightPixels <= (value as number);
    case 'sizes':
      return (value as readonly (readonly number[])[]).some(([w, h]) => w === widthPixels && h === heightPixels);
    default:
      return true;
  }
}
