/** Says what went wrong when the top level of a driver's module ran, and on which line of it. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { TrialImport } from '@dmabuf-lab/core/runtime';
import type { StoredBundle } from './bundle-cache.js';
import type { DriverProblem } from './driver-error.js';

/**
 * @param limitMs that the module had, in milliseconds
 */
export function evaluationProblem(
  trial: Exclude<TrialImport, { kind: 'loaded' }>,
  stored: StoredBundle,
  limitMs: number,
): DriverProblem {
  const { entry } = stored;
  switch (trial.kind) {
    case 'exited':
      return { file: entry, line: 1, message: `it ended its thread with code ${trial.code} while it was loaded` };
    case 'stuck':
      return awaited(stored, 'it awaits what never comes while it is loaded');
    case 'late':
      return awaited(stored, `it was not loaded within ${limitMs / 1000} s: does its top level loop or wait?`);
    case 'threw':
      return thrownProblem(trial.error, stored);
  }
}

/** At the first `await` of the top level that can be seen. */
function awaited({ entry }: StoredBundle, message: string): DriverProblem {
  const lines = readFileSync(entry, 'utf8').split('\n');
  const line = lines.findIndex((text) => /^(?!\s*(\/\/|\*)).*\bawait\b/.test(text));
  return { file: entry, line: Math.max(0, line) + 1, message };
}

function thrownProblem(error: Error, stored: StoredBundle): DriverProblem {
  const missing = /requested module '([^']+)' does not provide an export named '([^']+)'/.exec(error.message);
  if (missing !== null) {
    const [, module, name] = missing;
    const at = lineWith(
      stored,
      new RegExp(`\\b(import|export)\\b.*\\b${name.replace(/\W/g, '\\$&')}\\b|^\\s*${name}\\b,?$`),
    );
    return { ...at, message: `${shownModule(module, stored, at.line)} exports no "${name}"` };
  }
  const sources = stored.sources.map(([path]) => path);
  const place = placeInDriver(error, sources) ?? { file: stored.entry, line: 1 };
  const name = error.name === 'Error' ? '' : `${error.name}: `;
  return { ...place, message: `it throws while it is loaded: ${name}${error.message}` };
}

/** The first frame of a stack that lies in one of a driver's sources. */
export function placeInDriver(
  { stack = '' }: Error,
  sources: readonly string[],
): Omit<DriverProblem, 'message'> | undefined {
  for (const [, location, line, column] of stack.matchAll(/^\s+at (?:.*\()?(.+?):(\d+):(\d+)\)?$/gm)) {
    const file = location.startsWith('file:') ? fileURLToPath(location) : location;
    if (sources.includes(file)) return { file, line: Number(line), column: Number(column) };
  }
  return undefined;
}

function lineWith({ sources, entry }: StoredBundle, pattern: RegExp): { readonly file: string; readonly line: number } {
  for (const [file] of sources) {
    const line = readFileSync(file, 'utf8')
      .split('\n')
      .findIndex((text) => pattern.test(text));
    if (line >= 0) return { file, line: line + 1 };
  }
  return { file: entry, line: 1 };
}

/** A module as the driver names it, where that can be seen. */
function shownModule(url: string, { entry }: StoredBundle, line: number): string {
  const lines = readFileSync(entry, 'utf8')
    .split('\n')
    .slice(line - 1);
  for (const text of lines) {
    const from = /\bfrom\s+['"]([^'"]+)['"]/.exec(text);
    if (from !== null) return from[1];
  }
  return url;
}
