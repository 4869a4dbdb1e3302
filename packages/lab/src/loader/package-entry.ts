/** Finds the file that a package names as its own module, to say that it is missing: most likely it was not built. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { shownPath } from './driver-error.js';

/** Those that Node and the loader meet for an import. Source: "Conditional exports", Node.js packages docs. */
const CONDITIONS = ['node', 'import', 'module-sync', 'default'];

interface Manifest {
  readonly name?: unknown;
  readonly main?: unknown;
  readonly exports?: unknown;
  readonly scripts?: { readonly build?: unknown };
}

/**
 * What is wrong with the file that a package names.
 *
 * @param specifier `my-isp`, `@me/isp` or `my-isp/part`
 * @param fromFolder absolute path of the folder that it is looked for from
 * @returns undefined when the package is not found, names no file for this, or the file is there
 */
export function missingEntry(specifier: string, fromFolder: string): string | undefined {
  const parts = specifier.split('/');
  const name = parts.splice(0, specifier.startsWith('@') ? 2 : 1).join('/');
  const found = packageAt(name, fromFolder);
  if (found === undefined) return undefined;
  const { folder, manifest } = found;
  const { exports, main } = manifest;
  const key = ['.', ...parts].join('/');
  const byExports = targetOf(exports, key);
  const byMain = exports === undefined && key === '.' && typeof main === 'string' ? main : undefined;
  const target = byExports ?? byMain;
  if (target === undefined || existsSync(join(folder, target))) return undefined;
  const field = byExports === undefined ? 'main' : 'exports';
  const build =
    manifest.scripts?.build === undefined
      ? 'build it first'
      : `build it first: npm run build in ${shownPath(folder) || '.'}`;
  return `the package ${name} names ${target} in "${field}" of its package.json, and there is no such file; ${build}`;
}

function packageAt(name: string, from: string): { readonly folder: string; readonly manifest: Manifest } | undefined {
  for (let up = from; ; up = dirname(up)) {
    const installed = join(up, 'node_modules', name);
    const manifest = manifestIn(installed);
    if (manifest !== undefined) return { folder: installed, manifest };
    const own = manifestIn(up);
    if (own?.name === name) return { folder: up, manifest: own };
    if (dirname(up) === up) return undefined;
  }
}

function manifestIn(folder: string): Manifest | undefined {
  try {
    const manifest: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    return typeof manifest === 'object' && manifest !== null ? manifest : undefined;
  } catch {
    return undefined;
  }
}

/** The file that `exports` gives for `.` or `./part`; patterns are left to Node. */
function targetOf(exports: unknown, key: string): string | undefined {
  if (typeof exports === 'string') return key === '.' ? exports : undefined;
  if (Array.isArray(exports)) return targetOf(exports[0], key);
  if (typeof exports !== 'object' || exports === null) return undefined;
  const entries = Object.entries(exports);
  const hasPaths = entries.some(([name]) => name.startsWith('.'));
  if (hasPaths) return targetOf((exports as Readonly<Record<string, unknown>>)[key], '.');
  if (key !== '.') return undefined;
  for (const [condition, target] of entries) {
    const file = CONDITIONS.includes(condition) ? targetOf(target, '.') : undefined;
    if (file !== undefined) return file;
  }
  return undefined;
}
