/**
 * What the rules of a set of participants demand of a layout together, and who demanded it.
 *
 * The merge is commutative, associative and idempotent, and monotone: a further rule never lowers an alignment or a
 * minimum and never raises a limit. It explains; it does not decide: the search merges the same demands as numbers.
 */
import {
  devicesOf,
  type LayoutResolved,
  type LayoutStatement,
  mergeByIntersection,
  mergeByLcm,
  mergeByMax,
  mergeByMin,
  mergeByOr,
} from '../provenance.js';
import { MAX_PLANES, type PixelFormat, pixelFormatOf } from './formats.js';
import type { LayoutRules } from './layout-constraints.js';
import { demandsOf, type LayoutField, type LayoutValue, type RuleStatement, ruleStatements } from './layout-facts.js';
import { SLOT_OPERATORS } from './layout-slots.js';

/** A dimension of a layout whose merged value is a number. Stride values are bytes of the first plane's stride. */
export type LayoutDimension =
  | 'strideAlignmentBytes'
  | 'minStrideBytes'
  | 'maxStrideBytes'
  | 'blockWidthPixels'
  | 'blockHeightPixels'
  | 'heightAlignment'
  | `rowAlignment[${number}]`
  | `offsetAlignmentBytes[${number}]`
  | `extraBytes[${number}]`
  | 'trailingBytes'
  | 'sizeAlignmentBytes'
  | 'minWidthPixels'
  | 'minHeightPixels'
  | 'maxWidthPixels'
  | 'maxHeightPixels'
  | 'widthStepPixels'
  | 'heightStepPixels'
  | 'maxPixels';

/** A dimension that is demanded or not. */
export type LayoutFlag = 'strideExact' | 'stridePowerOfTwo' | 'trailingAtLeastStride' | 'equalPlaneStride';

/** The merged rules: only what somebody constrains. The largest stride is floored to the alignment. */
export type MergedLayoutRules = { readonly [D in LayoutDimension]?: LayoutResolved<number> } & {
  readonly [F in LayoutFlag]?: LayoutResolved<boolean>;
} & {
  /** Sizes that all lists have, as `1920x1080`. */
  readonly sizes?: LayoutResolved<string[]>;
};

/** The rules of one participant. */
export interface ParticipantRules {
  readonly device: string;
  readonly rules: LayoutRules;
}

/**
 * Merges rules for one format.
 *
 * Context: any-thread; pure.
 *
 * @throws RangeError when the format is not in the table
 */
export function mergeLayoutRules(format: string, given: readonly ParticipantRules[]): MergedLayoutRules {
  const info = pixelFormatOf(format);
  if (info === undefined) throw new RangeError(`Cannot merge the rules of a layout: format ${format} is not known`);
  return mergeStatements(
    given.flatMap(({ device, rules }) =>
      ruleStatements(rules).map((statement) => ({ device, field: statement.field, statement })),
    ),
    info,
  );
}

/** Merges two merged results: the same as merging all their participants at once. */
export function combineLayoutRules(a: MergedLayoutRules, b: MergedLayoutRules): MergedLayoutRules {
  const all = new Map<string, LayoutStatement<Mergeable>[]>();
  for (const merged of [a, b]) {
    for (const [dimension, resolved] of Object.entries(merged)) {
      const list = all.get(dimension) ?? [];
      list.push(...((resolved?.contributions ?? []) as readonly LayoutStatement<Mergeable>[]));
      all.set(dimension, list);
    }
  }
  return resolveAll(all);
}

/** A rule of a participant; `field` names it in the explanation. */
export interface StatedRule {
  readonly device: string;
  readonly field: string;
  readonly statement: RuleStatement;
}

/** Merges rules that have been collected, as {@link mergeLayoutRules} does. */
export function mergeStatements(given: readonly StatedRule[], format: PixelFormat): MergedLayoutRules {
  const all = new Map<string, LayoutStatement<Mergeable>[]>();
  const add = (dimension: string, device: string, field: string, value: Mergeable): void => {
    const list = all.get(dimension) ?? [];
    list.push({ device, field, value });
    all.set(dimension, list);
  };
  for (const { device, field, statement } of given) {
    for (const [dimension, value] of imageDemandsOf(statement)) add(dimension, device, field, value);
    if (imageFields.has(statement.field)) continue;
    for (const [slot, value] of demandsOf(statement, format)) {
      add(DIMENSIONS[slot], device, field, SLOT_OPERATORS[slot] === 'or' ? true : value);
    }
  }
  return resolveAll(all);
}

type Mergeable = number | boolean | readonly string[];

const planes = Array.from({ length: MAX_PLANES }, (_, plane) => plane);

/** The dimension of each slot that rules fill. */
const DIMENSIONS: readonly string[] = [
  ...['strideAlignmentBytes', 'minStrideBytes', 'maxStrideBytes', 'strideExact', 'stridePowerOfTwo'],
  ...['blockWidthPixels', 'blockHeightPixels', 'heightAlignment'],
  ...planes.map((plane) => `rowAlignment[${plane}]`),
  ...planes.map((plane) => `offsetAlignmentBytes[${plane}]`),
  ...planes.map((plane) => `extraBytes[${plane}]`),
  ...['trailingBytes', 'trailingAtLeastStride', 'sizeAlignmentBytes'],
];

type Merge = (given: never) => LayoutResolved<number> | LayoutResolved<boolean> | LayoutResolved<string[]>;
const BY_OPERATOR = { lcm: mergeByLcm, max: mergeByMax, min: mergeByMin, or: mergeByOr } as const;

const MERGES: ReadonlyMap<string, Merge> = new Map<string, Merge>([
  ...DIMENSIONS.map((dimension, slot): [string, Merge] => [
    dimension,
    BY_OPERATOR[SLOT_OPERATORS[slot] as keyof typeof BY_OPERATOR],
  ]),
  ['equalPlaneStride', mergeByOr],
  ['minWidthPixels', mergeByMax],
  ['minHeightPixels', mergeByMax],
  ['maxWidthPixels', mergeByMin],
  ['maxHeightPixels', mergeByMin],
  ['widthStepPixels', mergeByLcm],
  ['heightStepPixels', mergeByLcm],
  ['maxPixels', mergeByMin],
  ['sizes', mergeByIntersection],
]);

const imageFields: ReadonlySet<LayoutField> = new Set([
  'minSize',
  'maxSize',
  'sizeStep',
  'maxPixels',
  'sizes',
  'equalPlaneStride',
]);

/** What a rule demands that is not a slot: of the image's size, and equal strides. */
function imageDemandsOf({ field, value }: RuleStatement): (readonly [string, Mergeable])[] {
  const pair = (width: string, height: string): (readonly [string, number])[] => {
    const [first, second] = value as readonly [number, number];
    return [
      [width, first],
      [height, second],
    ];
  };
  switch (field) {
    case 'minSize':
      return pair('minWidthPixels', 'minHeightPixels');
    case 'maxSize':
      return pair('maxWidthPixels', 'maxHeightPixels');
    case 'sizeStep':
      return pair('widthStepPixels', 'heightStepPixels');
    case 'maxPixels':
      return [['maxPixels', value as number]];
    case 'sizes':
      return [['sizes', sizeNames(value)]];
    case 'equalPlaneStride':
      return [['equalPlaneStride', true]];
    default:
      return [];
  }
}

function sizeNames(value: LayoutValue): string[] {
  return (value as readonly (readonly number[])[]).map((size) => size.join('x'));
}

function resolveAll(all: ReadonlyMap<string, readonly LayoutStatement<Mergeable>[]>): MergedLayoutRules {
  const merged: Record<string, unknown> = {};
  for (const dimension of [...MERGES.keys()]) {
    const given = all.get(dimension);
    const merge = MERGES.get(dimension);
    if (given !== undefined && merge !== undefined) merged[dimension] = merge(given as never);
  }
  const { maxStrideBytes, strideAlignmentBytes } = merged as MergedLayoutRules;
  if (maxStrideBytes !== undefined && strideAlignmentBytes !== undefined) {
    merged.maxStrideBytes = flooredTo(maxStrideBytes, strideAlignmentBytes.value);
  }
  return merged as MergedLayoutRules;
}

/** The largest multiple of the alignment up to the limit; 0 when there is none. */
function flooredTo(limit: LayoutResolved<number>, alignment: number): LayoutResolved<number> {
  const lowest = Math.min(...limit.contributions.map((one) => one.value));
  const value = Number.isFinite(alignment) ? Math.floor(lowest / alignment) * alignment : 0;
  const contributions = limit.contributions.map((one) => ({ ...one, slack: one.value - lowest }));
  return { ...limit, value, contributions, binding: devicesOf(contributions.filter((one) => one.slack === 0)) };
}
