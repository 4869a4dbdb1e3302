/** Makes the package of a new driver: `dmabuf-lab new-driver`. */
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { builtInDrivers } from '@dmabuf-lab/drivers';
import { InputError } from '../cli/errors.js';
import {
  type DriverKind,
  type DriverLanguage,
  type DriverProjectSpec,
  driverProject,
  templatesOf,
} from './driver-project.js';

export interface NewDriverOptions {
  /** Of the package, the driver and its device: small letters, digits and hyphens. */
  readonly name: string;
  readonly kind: DriverKind;
  readonly language: DriverLanguage;
  /** The folder to make: absolute. */
  readonly folder: string;
  /** Told what takes a while. */
  readonly onProgress?: (what: string) => void;
  /**
   * How the driver depends on each package of dmabuf-lab; may write into the folder of the new package. By default their versions,
   * or from a checkout tarballs.
   */
  readonly packages?: (folder: string, onProgress?: (what: string) => void) => Promise<Record<string, string>>;
}

const PACKAGE = new URL('../../', import.meta.url);
const TEMPLATES = new URL('templates/driver/', PACKAGE);
/** There in a checkout only: the packages of this version may be on no registry, so the driver gets them as tarballs. */
const PACK_SCRIPT = fileURLToPath(new URL('../../scripts/pack-packages.mjs', PACKAGE));
const NAME_PATTERN = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;
const MAX_NAME = 64;
const VENDOR = 'vendor';

/**
 * Writes the package, whole or not at all.
 *
 * @returns paths of what was written, in the folder
 * @throws InputError when the name will not do, or something is in the way
 */
export async function newDriver(options: NewDriverOptions): Promise<readonly string[]> {
  const { name, kind, language, folder, onProgress, packages = packagesOf } = options;
  checkName(name);
  await checkFree(folder);
  const parent = dirname(folder);
  await mkdir(parent, { recursive: true });
  const made = await mkdtemp(join(parent, `.${basename(folder)}-`));
  try {
    const dependencies = await packages(made, onProgress);
    const versions = JSON.parse(await readTemplate('versions.json')) as DriverProjectSpec['versions'];
    const templates: Record<string, string> = {};
    for (const template of templatesOf(kind)) templates[template] = await readTemplate(template);
    const files = driverProject({ name, kind, language, dependencies, versions }, templates);
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(made, path)), { recursive: true });
      await writeFile(join(made, path), text);
    }
    if (existsSync(folder)) await rmdir(folder); // it is empty
    await chmod(made, 0o777 & ~process.umask()); // what mkdtemp makes is its maker's alone
    await rename(made, folder);
    return Object.keys(files).sort();
  } catch (error) {
    await rm(made, { recursive: true, force: true });
    throw error;
  }
}

const readTemplate = (name: string): Promise<string> => readFile(new URL(name, TEMPLATES), 'utf8');

function checkName(name: string): void {
  if (/[/\\]/.test(name)) {
    const how = `--in says where: dmabuf-lab new-driver ${basename(name)} --in ${dirname(name)}`;
    throw new InputError(`Cannot make a driver ${JSON.stringify(name)}: expected a name and no path; ${how}`);
  }
  if (name.length > MAX_NAME || !NAME_PATTERN.test(name)) {
    const rule = `small letters and digits with single hyphens between, a letter first, at most ${MAX_NAME}`;
    throw new InputError(`Cannot make a driver ${JSON.stringify(name)}: expected ${rule}, such as my-isp`);
  }
  if (Object.hasOwn(builtInDrivers, name)) {
    throw new InputError(`Cannot make a driver ${name}: a built-in driver has that name, expected another`);
  }
  // A scenario keeps the one, and the package would depend on itself by the others.
  if (['exporter', 'zod', 'typescript', 'esbuild'].includes(name)) {
    throw new InputError(`Cannot make a driver ${name}: that name is taken, expected another, such as my-${name}`);
  }
}

async function checkFree(folder: string): Promise<void> {
  const entries = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    if (error.code === 'ENOTDIR') throw new InputError(`Cannot make ${folder}: a file is in the way`);
    throw error;
  });
  if (entries.length > 0) throw new InputError(`Cannot make ${folder}: it is there and not empty`);
}

/** How the driver depends on the packages of dmabuf-lab: by version, or from a checkout by tarballs in its own folder. */
async function packagesOf(folder: string, onProgress?: (what: string) => void): Promise<Record<string, string>> {
  const names = ['core', 'heaps', 'drivers', 'uapi', 'lab'].map((name) => `@dmabuf-lab/${name}`);
  if (!existsSync(PACK_SCRIPT)) {
    const { version } = JSON.parse(await readFile(new URL('package.json', PACKAGE), 'utf8')) as { version: string };
    return Object.fromEntries(names.map((name) => [name, `^${version}`]));
  }
  onProgress?.('packing dmabuf-lab from this checkout, for the driver to depend on');
  const { packPackages } = (await import(pathToFileURL(PACK_SCRIPT).href)) as {
    packPackages(folder: string): Promise<Record<string, string>>;
  };
  const tarballs = await packPackages(join(folder, VENDOR));
  return Object.fromEntries(names.map((name) => [name, `file:${VENDOR}/${basename(tarballs[name])}`]));
}
