/** The `expect:` part of a scenario: which numbers of the result must be what. */
import leven from 'leven';
import type { RunResult } from './result.js';

/** What a value must be: equal to it, or within bounds, both included. */
export type Expectation =
  | number
  | string
  | boolean
  | {
      readonly min?: number;
      readonly max?: number;
      readonly equals?: number | string | boolean;
    };

/**
 * Compares a result with what was expected of it.
 *
 * A path names a value by keys with dots between them: `devices.display.counters.shown`. An element of a list is named
 * by its place (`links.0.dropped`) or by its name (`heaps.cma.peakBytes`), where it has one; `buffers.length` is how many
 * there are. Names may contain dots themselves (`pools.camera.out.buffers`): the longest name that fits is taken.
 *
 * @param expect by path
 * @returns one entry for each path, in order; a path that leads nowhere is not ok and says what is nearest to it
 */
export function evaluateExpectations(
  expect: Readonly<Record<string, Expectation>>,
  result: RunResult,
): RunResult['expectations'] {
  return Object.entries(expect).map(([path, expected]) => {
    const found = follow(result, path.split('.'), []);
    if ('value' in found) return { path, expected, actual: found.value, ok: satisfies(found.value, expected) };
    return { path, expected, actual: `no such path; nearest is ${found.nearest}`, ok: false };
  });
}

function satisfies(actual: unknown, expected: Expectation): boolean {
  if (typeof expected !== 'object') return actual === expected;
  const { min, max, equals } = expected;
  if (equals !== undefined && actual !== equals) return false;
  if (min === undefined && max === undefined) return true;
  return typeof actual === 'number' && actual >= (min ?? -Infinity) && actual <= (max ?? Infinity);
}

type Found = { readonly value: unknown } | { readonly nearest: string };

function follow(value: unknown, parts: readonly string[], walked: readonly string[]): Found {
  if (parts.length === 0) return { value };
  const children = childrenOf(value);
  for (let taken = parts.length; taken > 0; taken--) {
    const key = parts.slice(0, taken).join('.');
    if (children.has(key)) return follow(children.get(key), parts.slice(taken), [...walked, key]);
  }
  const nearest = [...children.keys()].sort((a, b) => leven(a, parts[0]) - leven(b, parts[0]))[0];
  return { nearest: [...walked, ...(nearest === undefined ? [] : [nearest])].join('.') };
}

/** What a path can lead to from here, by key. */
function childrenOf(value: unknown): Map<string, unknown> {
  if (typeof value !== 'object' || value === null) return new Map();
  if (!Array.isArray(value)) return new Map(Object.entries(value).filter(([, child]) => child !== undefined));
  const children = new Map<string, unknown>();
  for (const item of value) {
    const name = (item as { name?: unknown } | null)?.name;
    if (typeof name === 'string' && !children.has(name)) children.set(name, item);
  }
  for (const [i, item] of value.entries()) children.set(String(i), item);
  return children.set('length', value.length);
}
