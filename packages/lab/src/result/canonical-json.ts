import { z } from 'zod';
import { type RunResult, runResultSchema } from './result.js';

/** A value is written on one line if it fits into this many characters. */
const LINE_WIDTH = 100;

/**
 * The bytes of `result.json`: two equal results give equal bytes.
 *
 * Keys stand in the order of the schema, whatever the order in which the result was put together; the entries of
 * records (devices, counters) keep theirs. Indented by two; what fits on a line stands on one line.
 *
 * @throws Error when the result is not valid by its own schema, which is a mistake in this program
 */
export function toCanonicalJson(result: RunResult): string {
  const parsed = runResultSchema.safeParse(result);
  if (!parsed.success) {
    throw new Error(`Cannot write the result: it does not match its schema\n${z.prettifyError(parsed.error)}`);
  }
  return `${format(parsed.data, '')}\n`;
}

function format(value: unknown, indent: string): string {
  const compact = oneLine(value);
  if (typeof value !== 'object' || value === null) return compact;
  if (isLeafList(value) && indent.length + compact.length <= LINE_WIDTH) return compact;
  const inner = `${indent}  `;
  if (Array.isArray(value)) {
    if (value.length === 0) return '[]';
    return `[\n${value.map((item) => inner + format(item, inner)).join(',\n')}\n${indent}]`;
  }
  const entries = definedEntries(value);
  if (entries.length === 0) return '{}';
  const lines = entries.map(([key, item]) => `${inner}${JSON.stringify(key)}: ${format(item, inner)}`);
  return `{\n${lines.join(',\n')}\n${indent}}`;
}

/** Lists of numbers and of ranges, and objects of a few scalars, are easier to read in a row. */
function isLeafList(value: object): boolean {
  const isFlat = (item: unknown): boolean => typeof item !== 'object' || item === null;
  if (!Array.isArray(value)) return Object.values(value).every(isFlat);
  return value.every((item) => isFlat(item) || (Array.isArray(item) && item.every(isFlat)));
}

function oneLine(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  if (Array.isArray(value)) return `[${value.map(oneLine).join(', ')}]`;
  const entries = definedEntries(value);
  if (entries.length === 0) return '{}';
  return `{ ${entries.map(([key, item]) => `${JSON.stringify(key)}: ${oneLine(item)}`).join(', ')} }`;
}

const definedEntries = (value: object): [string, unknown][] =>
  Object.entries(value).filter(([, item]) => item !== undefined);
