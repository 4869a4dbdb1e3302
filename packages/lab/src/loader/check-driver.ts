/** Looks whether a module exports a driver as its default. */
import { readFileSync } from 'node:fs';
import { driverShapeProblems, EXPECTED_DRIVER } from '@dmabuf-lab/core/driver';
import type { DriverProblem } from './driver-error.js';

/**
 * @param exported the module
 * @param entry absolute path of its source, where problems are shown
 */
export function driverProblems(exported: Readonly<Record<string, unknown>>, entry: string): DriverProblem[] {
  const found =
    'default' in exported ? driverShapeProblems(exported.default, 'its default export') : [noDefault(exported)];
  const at = 'default' in exported ? placeOfDriver(entry) : { file: entry, line: 1, column: 1 };
  return found.map((message) => ({ message, ...at }));
}

function noDefault(exported: Readonly<Record<string, unknown>>): string {
  const drivers = Object.keys(exported).filter((name) => driverShapeProblems(exported[name]).length === 0);
  const hint = drivers.length === 0 ? '' : `; its export "${drivers[0]}" is one: export it as the default`;
  return `it has no default export, ${EXPECTED_DRIVER}${hint}`;
}

/** Where the source of a driver, by its absolute path, says what its default export is. */
export function placeOfDriver(entry: string): {
  readonly file: string;
  readonly line: number;
  readonly column: number;
} {
  const lines = readFileSync(entry, 'utf8').split('\n');
  const line = lines.findIndex((text) => /\bexport\s+default\b|\bas\s+default\b|\bmodule\.exports\s*=/.test(text));
  return { file: entry, line: Math.max(0, line) + 1, column: 1 };
}
