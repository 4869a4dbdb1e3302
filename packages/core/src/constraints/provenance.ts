/**
 * How values of several participants become one, with the reason kept: every operator here is commutative, associative
 * and, the sum excepted, idempotent.
 */
import { leastCommonMultiple, primePowers } from './numbers.js';

/** How values of several participants become one. `smallest common` is the result of all rules together. */
export type LayoutOperator = 'lcm' | 'min' | 'max' | 'or' | 'sum' | 'intersection' | 'smallest common';

/** What one participant says about a value. */
export interface LayoutStatement<T> {
  readonly device: string;
  /** The field that says it, as the explanation names it. */
  readonly field: string;
  readonly value: T;
}

/** What one participant brought to a merged value. */
export interface LayoutContribution<T> extends LayoutStatement<T> {
  /**
   * How far it is from binding; 0 when it alone would give the result. The difference to the result (min, max, smallest
   * common), the factor it lacks minus 1 (lcm), what the others add (sum), entries it allows beyond the result
   * (intersection), always 0 (or).
   */
  readonly slack: number;
}

/** A merged value with its provenance. */
export interface LayoutResolved<T> {
  readonly value: T;
  readonly operator: LayoutOperator;
  /** In order of device, field and value; what was said twice counts once, except in a sum. */
  readonly contributions: readonly LayoutContribution<T>[];
  /** The participants that shape the value, sorted. */
  readonly binding: readonly string[];
}

/** Least common multiple; bound by whoever has the highest power of a prime: 64, 256 and 48 by 256 and 48. */
export function mergeByLcm(given: readonly LayoutStatement<number>[]): LayoutResolved<number> {
  const unique = inOrder(given);
  const value = unique.reduce((multiple, one) => leastCommonMultiple(multiple, one.value), 1);
  const contributions = unique.map((one) => ({ ...one, slack: value / one.value - 1 }));
  const factors = unique.map((one) => primePowers(one.value));
  const binding = unique.filter((_, index) =>
    [...factors[index]].some(([prime, power]) => factors.every((other) => (other.get(prime) ?? 0) <= power)),
  );
  return { value, operator: 'lcm', contributions, binding: devicesOf(binding) };
}

/** The largest. */
export function mergeByMax(given: readonly LayoutStatement<number>[]): LayoutResolved<number> {
  const unique = inOrder(given);
  const value = Math.max(...unique.map((one) => one.value));
  const contributions = unique.map((one) => ({ ...one, slack: value - one.value }));
  return { value, operator: 'max', contributions, binding: devicesOf(contributions.filter((one) => one.slack === 0)) };
}

/** The smallest. */
export function mergeByMin(given: readonly LayoutStatement<number>[]): LayoutResolved<number> {
  const unique = inOrder(given);
  const value = Math.min(...unique.map((one) => one.value));
  const contributions = unique.map((one) => ({ ...one, slack: one.value - value }));
  return { value, operator: 'min', contributions, binding: devicesOf(contributions.filter((one) => one.slack === 0)) };
}

/** True as soon as anybody says so. */
export function mergeByOr(given: readonly LayoutStatement<boolean>[]): LayoutResolved<boolean> {
  const contributions = inOrder(given).map((one) => ({ ...one, slack: 0 }));
  return { value: contributions.length > 0, operator: 'or', contributions, binding: devicesOf(contributions) };
}

/** The sum; everybody with more than nothing shapes it. */
export function mergeBySum(given: readonly LayoutStatement<number>[]): LayoutResolved<number> {
  const sorted = [...given].sort(byStatement);
  const value = sorted.reduce((sum, one) => sum + one.value, 0);
  const contributions = sorted.map((one) => ({ ...one, slack: value - one.value }));
  return { value, operator: 'sum', contributions, binding: devicesOf(sorted.filter((one) => one.value > 0)) };
}

/** What all lists have in common, in order of name; bound by whoever excludes what all others have. */
export function mergeByIntersection(given: readonly LayoutStatement<readonly string[]>[]): LayoutResolved<string[]> {
  const unique = inOrder(given.map((one) => ({ ...one, value: [...one.value].sort() })));
  const common = (lists: typeof unique): string[] =>
    lists.length === 0 ? [] : lists[0].value.filter((entry) => lists.every((list) => list.value.includes(entry)));
  const value = common(unique);
  const contributions = unique.map((one) => ({ ...one, slack: one.value.length - value.length }));
  const excludes = (one: (typeof unique)[number]): boolean => {
    const others = unique.filter((other) => other !== one);
    return others.length === 0 || common(others).length > value.length;
  };
  // Where nobody has more than all have in common, the others have no more without anyone either.
  const binding = contributions.every(({ slack }) => slack === 0) ? [] : unique.filter(excludes);
  const bound = binding.length === 0 ? unique : binding;
  return { value, operator: 'intersection', contributions, binding: devicesOf(bound) };
}

/** Sorted by device, field and value, without what was said twice. */
export function inOrder<T>(given: readonly LayoutStatement<T>[]): LayoutStatement<T>[] {
  const sorted = given.map(({ device, field, value }) => ({ device, field, value })).sort(byStatement);
  return sorted.filter((one, index) => index === 0 || byStatement(sorted[index - 1], one) !== 0);
}

/** Names without repetition, sorted. */
export function devicesOf(statements: readonly { readonly device: string }[]): string[] {
  return [...new Set(statements.map((one) => one.device))].sort(byName);
}

/** The order of names: by code unit, the same everywhere. */
export function byName(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function byStatement<T>(a: LayoutStatement<T>, b: LayoutStatement<T>): number {
  return byName(a.device, b.device) || byName(a.field, b.field) || byValue(a.value, b.value);
}

function byValue(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return byName(String(a), String(b));
}
