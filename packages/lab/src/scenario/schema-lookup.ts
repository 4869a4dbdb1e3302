/** Looks into a zod schema: what stands at a path, which keys are known there, and how it describes itself. */
import { z } from 'zod';

type Schema = z.core.$ZodType;
type Path = readonly PropertyKey[];

/** The schemas that a value at a path may be checked by: several below a union, none below an unknown key. */
export function schemasAt(schema: Schema, path: Path): Schema[] {
  if (path.length === 0) return [schema];
  const def = defOf(schema);
  const [key, ...rest] = path;
  switch (def.type) {
    case 'object': {
      const child = typeof key === 'string' && Object.hasOwn(def.shape, key) ? def.shape[key] : undefined;
      return child === undefined ? [] : schemasAt(child, rest);
    }
    case 'record':
      return schemasAt(def.valueType, rest);
    case 'array':
      return schemasAt(def.element, rest);
    case 'tuple':
      return typeof key === 'number' && def.items[key] !== undefined ? schemasAt(def.items[key], rest) : [];
    case 'union':
      return def.options.flatMap((option) => schemasAt(option, path));
    default: {
      const inner = innerOf(def);
      return inner === undefined ? [] : schemasAt(inner, path);
    }
  }
}

/** The keys of a mapping; undefined when the schema is not one with fixed keys. */
export function keysOf(schema: Schema): string[] | undefined {
  const def = defOf(schema);
  if (def.type === 'object') return Object.keys(def.shape);
  const inner = innerOf(def);
  return inner === undefined ? undefined : keysOf(inner);
}

/** The options of a union, through everything that wraps it; undefined when it is none. */
export function optionsOf(schema: Schema): readonly Schema[] | undefined {
  const def = defOf(schema);
  if (def.type === 'union') return def.options;
  const inner = innerOf(def);
  return inner === undefined ? undefined : optionsOf(inner);
}

/** The options that a value can mean: of a union told apart by a key, those that take the value's key. */
export function optionsFor(schema: Schema, value: unknown): readonly Schema[] {
  const def = defOf(schema);
  const inner = innerOf(def);
  if (def.type !== 'union') return inner === undefined ? [] : optionsFor(inner, value);
  if (!('discriminator' in def) || typeof value !== 'object' || value === null) return def.options;
  const key = String(def.discriminator);
  const tag: unknown = Reflect.get(value, key);
  const meant = def.options.filter((option) => schemasAt(option, [key]).some((at) => z.safeParse(at, tag).success));
  return meant.length === 0 ? def.options : meant;
}

/**
 * What a schema says of the values it takes: the innermost description, since wrappers and copies describe the field
 * that they stand for ("time of one job") where the original describes the value ("a duration with a unit").
 */
export function valueDescription(schema: Schema): string | undefined {
  const inner = innerOf(defOf(schema));
  const below = inner && valueDescription(inner);
  if (below !== undefined) return below;
  const { parent } = schema._zod;
  const original = parent && valueDescription(parent);
  return original ?? z.globalRegistry.get(schema)?.description;
}

/** Whether a schema takes whole numbers only. */
export function isWholeNumber(schema: Schema): boolean {
  const def = defOf(schema);
  if (def.type === 'number') return 'format' in def && def.format === 'safeint';
  const inner = innerOf(def);
  return inner !== undefined && isWholeNumber(inner);
}

/** What a wrapper wraps; the side that the input meets, for a transform. */
function innerOf(def: z.core.$ZodTypes['_zod']['def']): Schema | undefined {
  switch (def.type) {
    case 'optional':
    case 'nullable':
    case 'default':
    case 'prefault':
    case 'nonoptional':
    case 'readonly':
    case 'catch':
      return def.innerType;
    case 'pipe':
      return def.in;
    default:
      return undefined;
  }
}

function defOf(schema: Schema): z.core.$ZodTypes['_zod']['def'] {
  return (schema as z.core.$ZodTypes)._zod.def;
}
