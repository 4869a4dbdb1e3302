/** What the scripts need to know about the workspace: its root, its packages and its TypeScript projects. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

export const repositoryRoot = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/** Directories that hold nothing a person wrote. */
export const GENERATED_DIRECTORIES = new Set(['node_modules', 'dist', 'out', '.git']);

export const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'));

/** A path below `root` as it is written in messages: relative, with forward slashes. */
export const displayPath = (root, path) => relative(root, path).split(sep).join('/');

/** True when the module whose `import.meta.url` is given was started by `node <script>`. */
export const isMainModule = (url) => process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(url);

/** All files below a directory whose path passes the filter; generated directories are not entered. */
export function walkFiles(directory, accept, skipped = GENERATED_DIRECTORIES) {
  const found = [];
  const visit = (current) => {
    let entries;
    try {
      entries = readdirSync(current, { withFileTypes: true });
    } catch (error) {
      if (error.code === 'ENOENT') return;
      throw error;
    }
    for (const entry of entries) {
      const path = join(current, entry.name);
      if (entry.isDirectory()) {
        if (!skipped.has(entry.name)) visit(path);
      } else if (accept(path)) found.push(path);
    }
  };
  visit(directory);
  return found.sort();
}

/**
 * Directories of the workspace's packages, the root first. Understands the two forms that pnpm-workspace.yaml uses
 * here: `- folder` and `- folder/*`.
 */
export function workspacePackages(root) {
  const lines = readFileSync(join(root, 'pnpm-workspace.yaml'), 'utf8').split('\n');
  const start = lines.findIndex((line) => /^packages:\s*$/.test(line));
  const directories = [root];
  for (const line of lines.slice(start + 1)) {
    const pattern = /^\s+-\s+['"]?([^'"\s]+)['"]?\s*$/.exec(line)?.[1];
    if (pattern === undefined) break;
    if (!pattern.endsWith('/*')) directories.push(join(root, pattern));
    else
      for (const name of readdirSync(join(root, pattern.slice(0, -2))))
        directories.push(join(root, pattern.slice(0, -2), name));
  }
  return directories.filter((directory) => existsSync(join(directory, 'package.json')));
}

/**
 * The TypeScript projects that the root tsconfig.json refers to.
 *
 * @returns {{ directory: string, config: string, rootDir: string, outDir: string, buildInfo: string }[]} absolute paths
 */
export function typescriptProjects(root) {
  return readJson(join(root, 'tsconfig.json')).references.map(({ path }) => {
    const directory = resolve(root, path);
    const config = join(directory, 'tsconfig.json');
    const { rootDir, outDir, tsBuildInfoFile } = readJson(config).compilerOptions;
    return {
      directory,
      config,
      rootDir: resolve(directory, rootDir),
      outDir: resolve(directory, outDir),
      buildInfo: resolve(directory, tsBuildInfoFile),
    };
  });
}

/** Sources of a TypeScript project, declaration files left out: each of them becomes one `.js` file. */
export const projectSources = (project) =>
  walkFiles(
    project.rootDir,
    (path) => /\.ts$/.test(path) && !/\.d\.ts$/.test(path),
    new Set([...GENERATED_DIRECTORIES, basename(project.outDir)]),
  );
