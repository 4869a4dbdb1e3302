/** What the text behind `driver:` names: a built-in driver, a file, or a package. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, extname, isAbsolute, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { showValue } from '@dmabuf-lab/core/base';
import { builtInDrivers } from '@dmabuf-lab/drivers';
import { nearest, suggestion } from '../scenario/issues.js';
import { DriverLoadError } from './driver-error.js';

export type NamedDriver =
  | { readonly kind: 'built-in'; readonly name: string }
  /** Absolute path. */
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'package'; readonly name: string };

const MODULE = /\.[cm]?[jt]s$/;

/**
 * A text that begins with `./`, `../`, `/` or `file:` is a path; one of the four names a built-in driver; all else a package,
 * or a module in a package.
 *
 * @param folder absolute path that relative ones lead from
 * @throws DriverLoadError when it is a path that leads to no file, or a text that can be none of these
 */
export function nameDriver(specifier: string, folder: string): NamedDriver {
  if (Object.hasOwn(builtInDrivers, specifier)) return { kind: 'built-in', name: specifier };
  if (isPath(specifier)) {
    const path = specifier.startsWith('file:') ? fileURLToPath(specifier) : resolve(folder, specifier);
    const problem = fileProblem(path);
    if (problem === undefined) return { kind: 'file', path };
    throw new DriverLoadError(specifier, [{ message: problem }]);
  }
  const problem = nameProblem(specifier, folder);
  if (problem === undefined) return { kind: 'package', name: specifier };
  throw new DriverLoadError(specifier, [{ message: problem }]);
}

/** What is wrong with a text that is to name a driver; undefined when there is such a file, package or built-in driver. */
export function driverNameProblem(specifier: string, folder: string): string | undefined {
  try {
    nameDriver(specifier, folder);
    return undefined;
  } catch (error) {
    if (error instanceof DriverLoadError) return error.problems[0].message;
    throw error;
  }
}

export const isPath = (specifier: string): boolean => /^(\.{1,2}\/|file:)/.test(specifier) || isAbsolute(specifier);

function fileProblem(path: string): string | undefined {
  const status = statSync(path, { throwIfNoEntry: false });
  if (status?.isDirectory() === true) return `${path} is a directory, expected the file of a module`;
  if (status !== undefined) {
    return MODULE.test(path) ? undefined : `${path} is no module, expected a file that ends in .ts or .js`;
  }
  const folder = dirname(path);
  if (!existsSync(folder)) return `there is no file ${path}: there is no directory ${folder}`;
  const modules = readdirSync(folder).filter((name) => MODULE.test(name) && !name.endsWith('.d.ts'));
  const stem = basename(path, extname(path));
  const same = modules.find((name) => basename(name, extname(name)) === stem) ?? nearest(basename(path), modules);
  return `there is no file ${path}${same === undefined ? '' : `, did you mean "${same}"?`}`;
}

/** Source: the names that registries of npm take; validate-npm-package-name. */
const PACKAGE = /^(@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*(\/.+)?$/i;

function nameProblem(specifier: string, folder: string): string | undefined {
  if (existsSync(resolve(folder, specifier)) && MODULE.test(specifier)) {
    return `a name without a path is that of a package; did you mean "./${specifier}"?`;
  }
  if (!PACKAGE.test(specifier)) return 'it is neither a path, which begins with "./", nor the name of a package';
  if (isInstalled(specifier, folder)) return undefined;
  const known = Object.keys(builtInDrivers);
  const meant = nearest(specifier, known);
  const others = meant === undefined ? `; built in are ${known.join(', ')}` : suggestion(specifier, known);
  return `there is no driver and no package ${showValue(specifier)}${others}`;
}

/** Whether there is such a package in a `node_modules` from the folder upwards, or one of the laboratory's own. */
function isInstalled(specifier: string, folder: string): boolean {
  if (specifier.startsWith('@dmabuf-lab/')) return true;
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
  for (let up = folder; ; up = dirname(up)) {
    if (existsSync(resolve(up, 'node_modules', name)) || isNamed(resolve(up, 'package.json'), name)) return true;
    if (dirname(up) === up) return false;
  }
}

/** A package may name itself. Source: "Self-referencing a package using its name", Node.js packages docs. */
function isNamed(manifest: string, name: string): boolean {
  try {
    return (JSON.parse(readFileSync(manifest, 'utf8')) as { readonly name?: unknown }).name === name;
  } catch {
    return false;
  }
}
