/** Where relative paths lead, and whether files can be written there. */
import { existsSync } from 'node:fs';
import { mkdtemp, rmdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
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

/** What names a module. On the command line a path need not begin with `./`: what looks like a file is one. */
export function modulePath(given: string): string {
  const isFile = /^\.{0,2}\/|\.[cm]?[jt]s$/.test(given) || existsSync(userPath(given));
  return isFile ? userPath(given) : given;
}

/**
 * Makes sure that a directory can be made and written to, and leaves things as they were: it makes a directory in the
 * nearest one that exists, and removes it. Permissions alone do not tell, e.g. of read-only disks and of /proc.
 *
 * @throws InputError when a file is in the way or nothing can be written there
 */
export async function checkOutputDirectory(dir: string, typed: string): Promise<void> {
  if (typed.trim() === '') throw new InputError('Cannot write to --out: expected the name of a directory, got nothing');
  for (let path = dir; ; path = dirname(path)) {
    const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
      throw error;
    });
    if (found === undefined) continue;
    if (!found.isDirectory())
      throw new InputError(`Cannot write to --out ${typed}: ${path} is a file, not a directory`);
    try {
      await rmdir(await mkdtemp(join(path, '.dmabuf-lab-')));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const isDenied = code === 'EACCES' || code === 'EPERM';
      const reason = isDenied ? `no permission to write to ${path}` : `nothing can be made in ${path} (${code})`;
      throw new InputError(`Cannot write to --out ${typed}: ${reason}`);
    }
    return;
  }
}
