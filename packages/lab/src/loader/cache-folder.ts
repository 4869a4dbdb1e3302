/** Where bundles of drivers are kept between runs. They can be deleted whenever nothing runs. */
import { accessSync, constants, existsSync, mkdirSync, mkdtempSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** In place of any other place, e.g. on a machine where only one directory may be written. */
const VARIABLE = 'DMABUF_LAB_CACHE';

/** Of a process that finds no other place. */
let ownFolder: string | undefined;

/**
 * The folder of the cache, made where it is absent: $DMABUF_LAB_CACHE; `node_modules/.cache/dmabuf-lab` of the nearest
 * `node_modules`, where other build tools keep theirs; `dmabuf-lab` in $XDG_CACHE_HOME or ~/.cache; else a folder of this
 * process alone. Never a folder that others can write: what lies there is run.
 *
 * @param from absolute path of the folder that names the driver
 */
export function cacheFolder(from: string): string {
  const stated = process.env[VARIABLE];
  if (stated !== undefined && stated !== '') return made(resolve(stated)) ?? ownTemporary();
  const modules = nearestModules(from);
  const inModules = modules && made(join(modules, '.cache', 'dmabuf-lab'));
  return inModules ?? made(join(userCache(), 'dmabuf-lab')) ?? ownTemporary();
}

function nearestModules(from: string): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const modules = join(folder, 'node_modules');
    if (existsSync(modules)) return modules;
    if (dirname(folder) === folder) return undefined;
  }
}

function userCache(): string {
  const stated = process.env.XDG_CACHE_HOME;
  return stated !== undefined && stated !== '' ? stated : join(homedir(), '.cache');
}

/** Makes a folder. @returns undefined where it cannot be made or written */
function made(folder: string): string | undefined {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    accessSync(folder, constants.W_OK);
    return folder;
  } catch {
    return undefined;
  }
}

function ownTemporary(): string {
  ownFolder ??= mkdtempSync(join(tmpdir(), 'dmabuf-lab-'));
  return ownFolder;
}
