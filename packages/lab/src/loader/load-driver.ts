/**
 * Loads the drivers of users: TypeScript or JavaScript, a file or a package, without a build step of theirs.
 *
 * In three steps: the module is bundled (`bundle.ts`, kept by `bundle-cache.ts`), evaluated once in a thread of its own with a
 * time limit, and only then imported here, where its schema and its plan are used. What runs are further copies of it: each
 * device imports the bundle by a URL of its own, so that two devices share nothing that the module keeps.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import type { AnyDriver } from '@dmabuf-lab/core/driver';
import { type TrialImport, tryImport } from '@dmabuf-lab/core/runtime';
import { builtInDrivers } from '@dmabuf-lab/drivers';
import { BUNDLE_FORMAT, bundleModule } from './bundle.js';
import { hashOf, readBundle, type StoredBundle, writeBundle } from './bundle-cache.js';
import { cacheFolder } from './cache-folder.js';
import { driverProblems } from './check-driver.js';
import { DriverLoadError } from './driver-error.js';
import { evaluationProblem } from './evaluation-error.js';
import { copyUrl, plannersUrl } from './instance-module.js';
import { nameDriver } from './resolve-driver.js';

/** A driver, and how to get further copies of its module. */
export interface LoadedDriver {
  /** As it was given. */
  readonly specifier: string;
  readonly driver: AnyDriver;
  /** Absolute paths of what it was made from, the module itself first; empty for a built-in driver. */
  readonly sources: readonly string[];
  /**
   * The URL of a copy of the module that shares no state with any other, the default export of which is the driver. Of a
   * built-in driver, which keeps none, always the same.
   *
   * @param device the name that its output is labelled with
   */
  moduleUrl(device: string): string;
}

/** A driver that is bundled and not imported yet: plain data, which may go to another thread. */
export interface DriverBundle {
  readonly specifier: string;
  /** Absent: it is built in. */
  readonly stored?: StoredBundle;
}

export interface LoadDriverOptions {
  /** How long the top level of the module may take, in milliseconds of real time. */
  readonly limitMs?: number;
  /** Where bundles are kept; the usual place when absent. */
  readonly cacheFolder?: string;
}

const DEFAULT_LIMIT_MS = 10_000;

/** Counts copies in this thread: a URL that was imported once gives the same copy again. */
let copies = 0;

/** By URL of a bundle, whose name is its content: the copy that schemas and plans are taken from. */
const imported = new Map<string, Promise<AnyDriver>>();

/**
 * Loads a driver.
 *
 * Context: nothing of the module runs before it has been bundled; its top level runs in a thread that is ended at the limit,
 * and then here.
 *
 * @param specifier `./my-isp.ts`, an absolute path, the name of a package, or that of a built-in driver
 * @param fromFolder absolute path of the folder that paths and packages are resolved from
 * @throws DriverLoadError with every problem found and where: no such file or package, a syntax error, an import that leads
 *   nowhere, a top level that throws, exits or does not end, no driver as its default export
 */
export async function loadDriver(
  specifier: string,
  fromFolder: string,
  options: LoadDriverOptions = {},
): Promise<LoadedDriver> {
  const bundle = await bundleDriver(specifier, fromFolder, options);
  await tryDriver(bundle, options);
  return await openDriver(bundle);
}

/** Bundles a driver, or finds its bundle. Runs nothing of it. @throws DriverLoadError */
export async function bundleDriver(
  specifier: string,
  fromFolder: string,
  options: LoadDriverOptions = {},
): Promise<DriverBundle> {
  const named = nameDriver(specifier, fromFolder);
  if (named.kind === 'built-in') return { specifier };
  const target = named.kind === 'file' ? named.path : named.name;
  const folder = options.cacheFolder ?? cacheFolder(fromFolder);
  const key = hashOf(JSON.stringify([BUNDLE_FORMAT, esbuildVersion(), import.meta.url, target, fromFolder]));
  const kept = readBundle(folder, key);
  if (kept !== undefined) return { specifier, stored: kept };
  const bundled = await bundleModule(target, specifier, fromFolder, folder);
  return { specifier, stored: writeBundle(folder, key, bundled) };
}

/** Evaluates a bundle in a thread of its own. @throws DriverLoadError when that does not go well */
async function tryDriver({ specifier, stored }: DriverBundle, { limitMs }: LoadDriverOptions): Promise<void> {
  if (stored === undefined || imported.has(urlOf(stored))) return;
  const limit = limitMs ?? DEFAULT_LIMIT_MS;
  const trial: TrialImport = await tryImport(urlOf(stored), limit);
  if (trial.kind !== 'loaded') throw new DriverLoadError(specifier, [evaluationProblem(trial, stored, limit)]);
}

/**
 * Imports a bundle that has been tried, and looks whether it is a driver.
 *
 * @throws DriverLoadError with what it lacks
 */
export async function openDriver({ specifier, stored }: DriverBundle): Promise<LoadedDriver> {
  if (stored === undefined) {
    const { driver, module } = builtInDrivers[specifier];
    return { specifier, driver, sources: [], moduleUrl: () => module };
  }
  const url = urlOf(stored);
  let driver = imported.get(url);
  if (driver === undefined) {
    driver = importDriver(specifier, stored);
    imported.set(url, driver);
    driver.catch(() => imported.delete(url));
  }
  return {
    specifier,
    driver: await driver,
    sources: stored.sources.map(([path]) => path),
    moduleUrl: (device) => {
      copies += 1;
      return copyUrl(url, device, copies);
    },
  };
}

async function importDriver(specifier: string, stored: StoredBundle): Promise<AnyDriver> {
  process.setSourceMapsEnabled(true);
  let exported: Readonly<Record<string, unknown>>;
  try {
    exported = (await import(plannersUrl(urlOf(stored), specifier))) as typeof exported;
  } catch (error) {
    const thrown = { kind: 'threw', error: error as Error } as const;
    throw new DriverLoadError(specifier, [evaluationProblem(thrown, stored, 0)]);
  }
  const problems = driverProblems(exported, stored.entry);
  if (problems.length > 0) throw new DriverLoadError(specifier, problems);
  return exported.default as AnyDriver;
}

const urlOf = ({ path }: StoredBundle): string => pathToFileURL(path).href;

function esbuildVersion(): string {
  const manifest = createRequire(import.meta.url).resolve('esbuild/package.json');
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { readonly version: string }).version;
}
