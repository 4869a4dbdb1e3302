/** Where relative paths lead, and whether files can be written there. */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { InputError } from './errors.js';

/**
 * An absolute path for what the user typed.
 *
 * npm runs scripts in the directory of the package and leaves the user's own in INIT_CWD. `npm start` is different:
 * the paths in it are those of the repository.
 */
export function userPath(path: string, env: NodeJS.ProcessEnv = process.env): string {
  const base = env.npm_lifecycle_event === 'start' ? undefined : env.INIT_CWD;
  return resolve(base ?? process.cwd(), path);
}

/**
 * Makes sure that a directory can be written to, without making it.
 *
 * @throws InputError when a file is in the way or writing is not permitted
 */
export async function checkOutputDirectory(dir: string, typed: string): Promise<void> {
  for (let path = dir; ; path = dirname(path)) {
    const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
      throw error;
    });
    if (found === undefined) continue;
    if (!found.isDirectory())
      throw new InputError(`Cannot write to --out ${typed}: ${path} is a file, not a directory`);
    await access(path, constants.W_OK).catch(() => {
      throw new InputError(`Cannot write to --out ${typed}: no permission to write to ${path}`);
    });
    return;
  }
}
