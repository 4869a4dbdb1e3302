/**
 * Shapes of plain data that somebody else wrote. A value is walked as far as it has the shape and no further: what is too
 * long is refused by its length, before anything in it is looked at.
 */

/** Where a value departs from its shape. */
export interface ShapeFault {
  /** Path of the field, such as `constraints.windows[2].base`; empty for the value as a whole. */
  readonly field: string;
  readonly expected: string;
  /** What was there instead, cut short. */
  readonly got: string;
}

/** Finds the first fault of a value; undefined when it has the shape. Never throws, whatever the value. */
export type Shape = (value: unknown, field: string) => ShapeFault | undefined;

/** Of what is quoted in a fault. */
const QUOTED_LENGTH = 32;

/** Whatever it is. */
export const anything: Shape = () => undefined;

/** A text of bounded length, in UTF-16 code units. */
export const text =
  (minLength: number, maxLength: number): Shape =>
  (value, field) => {
    if (typeof value === 'string' && value.length >= minLength && value.length <= maxLength) return undefined;
    return faultOf(value, field, `a text of ${minLength} to ${maxLength} characters`);
  };

/** A whole number in a range, both ends included. */
export const whole =
  (min: number, max: number): Shape =>
  (value, field) => {
    if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max) return undefined;
    return faultOf(value, field, `a whole number from ${min} to ${max}`);
  };

/** A finite number in a range, both ends included. */
export const real =
  (min: number, max: number): Shape =>
  (value, field) => {
    if (typeof value === 'number' && value >= min && value <= max) return undefined;
    return faultOf(value, field, `a number from ${min} to ${max}`);
  };

export const flag: Shape = (value, field) =>
  typeof value === 'boolean' ? undefined : faultOf(value, field, 'true or false');

export const oneOf =
  (...names: readonly string[]): Shape =>
  (value, field) =>
    typeof value === 'string' && names.includes(value) ? undefined : faultOf(value, field, names.join(' or '));

/** An array whose length is looked at first. */
export const list =
  (item: Shape, minLength: number, maxLength: number): Shape =>
  (value, field) => {
    if (!Array.isArray(value) || value.length < minLength || value.length > maxLength) {
      return faultOf(value, field, `an array of ${minLength} to ${maxLength} items`);
    }
    for (let index = 0; index < value.length; index += 1) {
      const fault = item(value[index], `${field}[${index}]`);
      if (fault !== undefined) return fault;
    }
    return undefined;
  };

/** An object with the fields given and no others; an optional one may also be undefined. */
export function record(
  required: Readonly<Record<string, Shape>>,
  optional: Readonly<Record<string, Shape>> = {},
): Shape {
  const known = new Set([...Object.keys(required), ...Object.keys(optional)]);
  const requiredShapes = Object.entries(required);
  const optionalShapes = Object.entries(optional);
  return (value, field) => {
    if (!isObject(value)) return faultOf(value, field, 'an object');
    const fields = value as Readonly<Record<string, unknown>>;
    for (const key in fields) {
      if (!known.has(key)) return faultOf(fields[key], below(field, key.slice(0, QUOTED_LENGTH)), 'no such field');
    }
    for (const [key, shape] of requiredShapes) {
      const fault = shape(fields[key], below(field, key));
      if (fault !== undefined) return fault;
    }
    for (const [key, shape] of optionalShapes) {
      const fault = fields[key] === undefined ? undefined : shape(fields[key], below(field, key));
      if (fault !== undefined) return fault;
    }
    return undefined;
  };
}

/** An object with any fields, as many as a bound, all of one shape. */
export const fieldsOf =
  (shape: Shape, maxFields: number): Shape =>
  (value, field) => {
    if (!isObject(value)) return faultOf(value, field, 'an object');
    const entries = Object.entries(value);
    if (entries.length > maxFields) return faultOf(value, field, `an object of ${maxFields} fields at most`);
    for (const [key, one] of entries) {
      const fault = shape(one, below(field, key.slice(0, QUOTED_LENGTH)));
      if (fault !== undefined) return fault;
    }
    return undefined;
  };

/** An object whose one field says which of several shapes it has. */
export const tagged =
  (shapes: Readonly<Record<string, Shape>>): Shape =>
  (value, field) => {
    for (const [tag, shape] of Object.entries(shapes))
      if (isObject(value) && Object.hasOwn(value, tag)) return shape(value, field);
    return faultOf(value, field, `an object with ${Object.keys(shapes).join(' or ')}`);
  };

/** A fault of a value that is there. */
export function faultOf(value: unknown, field: string, expected: string): ShapeFault {
  return { field, expected, got: described(value) };
}

/** An object that is no list. */
export const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function below(field: string, key: string): string {
  return field === '' ? key : `${field}.${key}`;
}

function described(value: unknown): string {
  if (typeof value === 'string') {
    const quoted = JSON.stringify(value.slice(0, QUOTED_LENGTH));
    return value.length > QUOTED_LENGTH ? `${quoted} and so on, ${value.length} characters` : quoted;
  }
  if (value === undefined || value === null) return 'nothing';
  if (Array.isArray(value)) return `an array of ${value.length} items`;
  return typeof value === 'object' || typeof value === 'function' ? `an ${typeof value}` : String(value);
}
