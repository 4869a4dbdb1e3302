/** Turns the issues of zod into sentences for somebody who wrote a file: what was expected, and what is there. */
import { showValue } from '@dmabuf-lab/core/base';
import leven from 'leven';
import type { z } from 'zod';
import { isWholeNumber, keysOf, optionsFor, optionsOf, schemasAt, valueDescription } from './schema-lookup.js';

type Issue = z.core.$ZodRawIssue | z.core.$ZodIssue;
type Schema = z.core.$ZodType;

/** A problem with the value at a path, or with the key that the path ends in. */
export interface Finding {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/**
 * Explains the issues of one parse.
 *
 * @param schema what the value was checked by
 * @param value what was checked
 */
export function explainIssues(schema: Schema, value: unknown, issues: readonly Issue[]): Finding[] {
  const findings = issues.flatMap((issue) => explain(schema, value, issue));
  // "drivr" is unknown and "driver" is missing: that is one mistake.
  const misspelt = new Set(
    findings.flatMap((finding) =>
      finding.meant === undefined ? [] : [pathKey([...finding.path.slice(0, -1), finding.meant])],
    ),
  );
  const seen = new Set<string>();
  return findings.filter((finding) => {
    const key = `${pathKey(finding.path)}: ${finding.message}`;
    if (seen.has(key) || (finding.isMissing === true && misspelt.has(pathKey(finding.path)))) return false;
    seen.add(key);
    return true;
  });
}

/** The name that was probably meant, when one is near enough. */
export function nearest(wrong: string, known: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(wrong.length / 2)) + 1;
  for (const candidate of known) {
    const distance = leven(wrong.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** `, did you mean "x"?`, or the whole choice when nothing is near. */
export function suggestion(wrong: string, known: readonly string[]): string {
  const meant = nearest(wrong, known);
  if (meant !== undefined) return `, did you mean "${meant}"?`;
  return known.length === 0 ? '' : `; known: ${known.join(', ')}`;
}

interface Explained extends Finding {
  /** The key that was probably meant instead of the last of the path. */
  readonly meant?: string;
  readonly isMissing?: boolean;
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'a mapping',
  record: 'a mapping',
  array: 'a list',
  tuple: 'a list',
};

function explain(schema: Schema, root: unknown, issue: Issue): Explained[] {
  const path = (issue.path ?? []).map((key) => (typeof key === 'symbol' ? String(key) : key));
  const value = valueAt(root, path);
  const got = `got ${showValue(value)}`;
  const isMissing = value === undefined;
  const say = (message: string): Explained[] =>
    isMissing ? [{ path, message: `missing, ${message}`, isMissing }] : [{ path, message: `${message}, ${got}` }];
  const one = (message: string): Explained[] => [{ path, message }];
  switch (issue.code) {
    case 'invalid_type':
      if (schemasAt(schema, path).some(isWholeNumber)) return say(`expected ${TYPE_WORDS.int}`);
      return say(`expected ${TYPE_WORDS[issue.expected] ?? issue.expected}`);
    case 'unrecognized_keys': {
      // Zod passes on the issues of an option when it is the only one that nearly fits: look into unions here too.
      const shapes = schemasAt(schema, path)
        .flatMap((candidate) => [candidate, ...optionsFor(candidate, value)])
        .map((option) => keysOf(option) ?? []);
      return issue.keys.map((key) => {
        const known = shapes.filter((keys) => !keys.includes(key)).flat();
        return unknownKey([...path, key], key, [...new Set(known)], value);
      });
    }
    case 'invalid_value':
      return say(oneOf(issue.values.map(String), value));
    case 'too_small':
      if (issue.origin === 'array') return one(`expected at least ${counted(issue.minimum, 'entry')}, ${got}`);
      return one(
        `expected ${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}${units(issue.origin)}, ${got}`,
      );
    case 'too_big':
      if (issue.origin === 'array')
        return one(`expected at most ${counted(issue.maximum, 'entry')}, got ${lengthOf(value)}`);
      return one(
        `expected ${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}${units(issue.origin)}, ${got}`,
      );
    case 'not_multiple_of':
      return one(`expected a multiple of ${issue.divisor}, ${got}`);
    case 'invalid_key': {
      const [inner] = issue.issues;
      return one(`${inner?.message ?? 'expected another name'}, got ${showValue(path.at(-1))}`);
    }
    case 'invalid_union':
      return explainUnion(schema, root, issue, path, say);
    default:
      return say(issue.message ?? 'expected something else');
  }
}

/** Explains by the option that was probably meant, or says what the options have in common. */
function explainUnion(
  schema: Schema,
  root: unknown,
  issue: z.core.$ZodRawIssue<z.core.$ZodIssueInvalidUnion> | z.core.$ZodIssueInvalidUnion,
  path: readonly (string | number)[],
  say: (message: string) => Explained[],
): Explained[] {
  if (issue.errors.length === 0) {
    const choices = 'options' in issue && Array.isArray(issue.options) ? issue.options.map(String) : [];
    return say(oneOf(choices, valueAt(root, path)));
  }
  const unions = schemasAt(schema, path);
  const union = unions.find((candidate) => optionsOf(candidate)?.length === issue.errors.length) ?? unions[0];
  const options = union && optionsOf(union);
  const value = valueAt(root, path);
  // Of the options that take this kind of value: none, when each complains of the kind.
  const near = issue.errors
    .map((errors, i) => ({ errors, option: options?.[i] }))
    .filter(({ errors }) => !errors.some((error) => error.path.length === 0 && isWrongKind(error)))
    .map((candidate) => ({ ...candidate, misfit: misfit(candidate.option, value, options ?? []) }))
    .sort((a, b) => a.misfit - b.misfit);
  const [best, second] = near;
  if (best?.option !== undefined && best.misfit < (second?.misfit ?? Number.POSITIVE_INFINITY)) {
    const { option } = best;
    const findings = best.errors.flatMap((error) => explain(option, value, error));
    return findings.map((finding) => ({ ...finding, path: [...path, ...finding.path] }));
  }
  const description = union && valueDescription(union)?.replace(/^[A-Z](?=[a-z ])/, (letter) => letter.toLowerCase());
  return say(`expected ${description ?? optionWords(issue.errors)}`);
}

/** Whether a value is not what an option takes at all: a mapping for a number, and so on. */
function isWrongKind(issue: z.core.$ZodIssue): boolean {
  if (issue.code === 'invalid_union') {
    return issue.errors.every((errors) => errors.some((error) => error.path.length === 0 && isWrongKind(error)));
  }
  return issue.code === 'invalid_type' || issue.code === 'invalid_value';
}

/**
 * How far a mapping is from the keys of an option. A key of another option counts as no misspelling: then the mapping
 * mixes options, and no single one was meant.
 */
function misfit(option: Schema | undefined, value: unknown, options: readonly Schema[]): number {
  const known = option && keysOf(option);
  if (known === undefined || typeof value !== 'object' || value === null) return 0;
  const elsewhere = options.flatMap((other) => keysOf(other) ?? []);
  const present = Object.keys(value);
  const unknown = present.filter((key) => !known.includes(key));
  if (unknown.some((key) => elsewhere.includes(key))) return 1000;
  const open = known.filter((key) => !present.includes(key));
  return unknown.reduce((sum, key) => sum + Math.min(100, ...open.map((candidate) => leven(key, candidate))), 0);
}

function unknownKey(
  path: readonly (string | number)[],
  key: string,
  known: readonly string[],
  parent: unknown,
): Explained {
  const present = new Set(typeof parent === 'object' && parent !== null ? Object.keys(parent) : []);
  const open = known.filter((candidate) => !present.has(candidate));
  const meant = nearest(key, open);
  return {
    path,
    message: `unknown key "${key}"${suggestion(key, meant === undefined ? known : open)}`,
    meant,
  };
}

function oneOf(choices: readonly string[], value: unknown): string {
  const quoted = choices.map((choice) => JSON.stringify(choice));
  const list = quoted.length > 1 ? `one of ${quoted.join(', ')}` : (quoted[0] ?? 'something else');
  const meant = typeof value === 'string' ? nearest(value, choices) : undefined;
  return meant === undefined ? `expected ${list}` : `expected ${list} (did you mean "${meant}"?)`;
}

function optionWords(errors: readonly (readonly z.core.$ZodIssue[])[]): string {
  const words = errors.flatMap(([error]) => {
    if (error?.code === 'invalid_type') return [TYPE_WORDS[error.expected] ?? error.expected];
    if (error?.code === 'invalid_value') return error.values.map((value) => JSON.stringify(value));
    return [];
  });
  return [...new Set(words)].join(' or ') || 'something else';
}

function counted(count: number | bigint, noun: string): string {
  return `${count} ${Number(count) === 1 ? noun : noun.replace(/y$/, 'ies')}`;
}

function units(origin: string): string {
  return origin === 'string' ? ' characters' : '';
}

function lengthOf(value: unknown): number {
  return Array.isArray(value) ? value.length : 0;
}

function valueAt(root: unknown, path: readonly (string | number)[]): unknown {
  let value = root;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string | number, unknown>)[key];
  }
  return value;
}

function pathKey(path: readonly (string | number)[]): string {
  return path.join('\0');
}
