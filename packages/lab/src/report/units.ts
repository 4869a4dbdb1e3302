/** Numbers as people read them. */
import type { Ranges } from '../result/index.js';

const TIME_UNITS = [
  ['ns', 1],
  ['µs', 1e3],
  ['ms', 1e6],
  ['s', 1e9],
] as const;

const BYTE_UNITS = [
  ['bytes', 1],
  ['KiB', 2 ** 10],
  ['MiB', 2 ** 20],
  ['GiB', 2 ** 30],
] as const;

/** A length of time in the largest unit that leaves at least one, three digits of it: `12.3 ms`. */
export const formatDuration = (ns: number): string => withUnit(ns, TIME_UNITS);

/** A size in the largest unit that leaves at least one, three digits of it: `1.5 MiB`. */
export const formatBytes = (bytes: number): string => (bytes === 1 ? '1 byte' : withUnit(bytes, BYTE_UNITS));

/** A moment of model time, in seconds with milliseconds: `5.067 s`. */
export const formatMoment = (ns: number): string => `${(ns / 1e9).toFixed(3)} s`;

/** `1 frame`, `2 frames`. */
export const plural = (count: number, noun: string, nouns = `${noun}s`): string =>
  `${count} ${count === 1 ? noun : nouns}`;

/** A list in prose: `a`, `a and b`, `a, b and c`. */
export function formatList(items: readonly string[]): string {
  return items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} and ${items[items.length - 1]}`;
}

/** Sequence numbers as ranges, shortened: `3, 7–9, … 12 ranges more, the last 980–999`. */
export function formatRanges(ranges: Ranges, shown = 8): string {
  const text = ranges.map(([first, last]) => (first === last ? `${first}` : `${first}–${last}`));
  const left = text.length - shown;
  if (left <= 0) return text.join(', ');
  return `${text.slice(0, shown).join(', ')}, … ${plural(left, 'range')} more, the last ${text[text.length - 1]}`;
}

function withUnit(value: number, units: readonly (readonly [string, number])[]): string {
  // A value that would be rounded up to 1000 is shown in the next unit, e.g. 1 ms for 999.7 µs.
  const found = units.findLast(([, size], i) => i === 0 || value >= size || value >= 999.5 * units[i - 1][1]);
  const [unit, size] = found ?? units[0];
  const scaled = value / size;
  const digits = scaled >= 100 || size === 1 ? 0 : scaled >= 10 ? 1 : 2;
  return `${Number(scaled.toFixed(digits))} ${unit}`;
}
