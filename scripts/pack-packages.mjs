/**
 * Packs the packages as they would be published: `packPackages` for other scripts and for `dmabuf-lab new-driver`, which takes
 * them from a checkout.
 *
 *   node scripts/pack-packages.mjs FOLDER  writes a tarball of each package into the folder
 *
 * The sources have to be compiled.
 */
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { runChild } from './child.mjs';
import { isMainModule, readJson, repositoryRoot } from './workspace.mjs';

/** In the order of their dependencies. */
export const PACKAGES = ['core', 'heaps', 'drivers', 'uapi', 'lab'];

/**
 * Writes a tarball of each package into a folder, which is made when it is missing.
 *
 * @param {string} folder
 * @returns {Promise<Record<string, string>>} paths of the tarballs by the names of the packages
 * @throws {Error} when a package cannot be packed; the folder is as it was then
 */
export async function packPackages(folder) {
  const target = resolve(folder);
  await mkdir(target, { recursive: true });
  const made = await mkdtemp(join(target, '.pack-'));
  try {
    const { packageManager } = readJson(join(repositoryRoot, 'package.json'));
    const npx = process.platform === 'win32' ? 'npx.cmd' : 'npx';
    const filters = PACKAGES.flatMap((name) => ['--filter', `./packages/${name}`]);
    const args = ['--prefer-offline', '-y', packageManager, ...filters, '-r', 'pack', '--pack-destination', made];
    let output = '';
    const onStdout = (text) => {
      output += text;
    };
    const stdio = ['ignore', 'pipe', 'inherit'];
    const { exitCode } = await runChild(npx, args, { cwd: repositoryRoot, stdio, onStdout });
    if (exitCode !== 0) throw new Error(`Cannot pack the packages: pnpm pack ended with ${exitCode}: ${output}`);
    const tarballs = {};
    for (const file of await readdir(made)) {
      const name = PACKAGES.find((candidate) => file.startsWith(`dmabuf-lab-${candidate}-`));
      if (name === undefined) continue;
      await rename(join(made, file), join(target, file));
      tarballs[`@dmabuf-lab/${name}`] = join(target, file);
    }
    const missing = PACKAGES.filter((name) => tarballs[`@dmabuf-lab/${name}`] === undefined);
    if (missing.length > 0) throw new Error(`Cannot pack the packages: there is no tarball of ${missing.join(', ')}`);
    return tarballs;
  } finally {
    await rm(made, { recursive: true, force: true });
  }
}

if (isMainModule(import.meta.url)) {
  const [folder, ...rest] = process.argv.slice(2);
  if (folder === undefined || rest.length > 0) {
    console.error('Cannot pack the packages: expected one folder to write the tarballs into');
    process.exitCode = 2;
  } else {
    for (const path of Object.values(await packPackages(folder))) console.log(path);
  }
}
