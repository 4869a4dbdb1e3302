/** Lays what one file says over what another says: how `extends` and the overrides of a scenario work. */
import type { StatedConstraints } from '../scenario/schema-constraints.js';

type Mapping = Readonly<Record<string, unknown>>;

/**
 * Lays one value over another, key by key: mappings are merged, everything else is replaced, lists as a whole.
 *
 * @param over what is absent or undefined in it stays as it is in `base`
 */
export function overlay<T>(base: T, over: unknown): T {
  if (!isMapping(base) || !isMapping(over)) return (over === undefined ? base : over) as T;
  const merged: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(over)) {
    if (value !== undefined) merged[key] = overlay(merged[key], value);
  }
  return merged as T;
}

/** As {@link overlay}, for constraints: first those go that `without` names. */
export function overlayConstraints(base: StatedConstraints, over: StatedConstraints): StatedConstraints {
  const { without = [], ...stated } = over;
  const kept = Object.entries(base).filter(([key]) => !without.some((gone) => gone === key));
  return overlay(Object.fromEntries(kept), stated);
}

/** Whether a value is a mapping of a YAML file. */
export function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
