/**
 * Makes a checkout runnable: installs the dependencies and compiles the sources, each only when needed.
 *
 * npm calls it before `start`, `test`, `lab`, `soak` and `bench`; `npm run build` calls it with `--build`. Everything it
 * and its children print goes to stderr, so that the output of the command itself stays clean.
 *
 * `.bootstrap-stamp` records two fingerprints: what the dependencies were installed from, and what the outputs were
 * compiled from. A step withdraws its fingerprint before it starts and writes it after it has succeeded, by renaming a
 * complete file into place; so an interrupted step is done again. A lock file keeps two calls from working at once.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runChild } from './child.mjs';
import {
  isMainModule,
  projectSources,
  readJson,
  repositoryRoot,
  typescriptProjects,
  walkFiles,
  workspacePackages,
} from './workspace.mjs';

const OLDEST_NODE = [20, 19];
/** Without a network the package manager gives up after some ten seconds instead of seventy. */
const FETCH_RETRIES = { npm_config_fetch_retry_mintimeout: '2000', npm_config_fetch_retry_factor: '3' };
const LOCK_POLL_MS = 100;
const LOCK_PATIENCE_MS = 15 * 60_000;

/** The line to print when this Node is too old, else undefined. */
export function nodeVersionProblem(version = process.versions.node) {
  const [major, minor] = version.split('.').map(Number);
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) return undefined;
  return `Cannot run dmabuf-lab: it needs Node.js ${OLDEST_NODE.join('.')} or newer, got ${version}.`;
}

const hashOf = (parts) => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex');
};

/** Fingerprint of all that decides what an install puts into node_modules. */
export function installFingerprint(root) {
  const files = [join(root, 'pnpm-lock.yaml'), join(root, 'pnpm-workspace.yaml')];
  for (const directory of workspacePackages(root)) files.push(join(directory, 'package.json'));
  return hashOf([
    process.version,
    process.platform,
    process.arch,
    ...files.flatMap((file) => [relative(root, file), readFileSync(file)]),
  ]);
}

/** Dependencies that are declared but not present, as `package: dependency`. Optional ones may be absent. */
export function missingDependencies(root) {
  const missing = [];
  for (const directory of workspacePackages(root)) {
    const { name, dependencies, devDependencies } = readJson(join(directory, 'package.json'));
    for (const dependency of Object.keys({ ...dependencies, ...devDependencies })) {
      if (!existsSync(join(directory, 'node_modules', dependency, 'package.json')))
        missing.push(`${name}: ${dependency}`);
    }
  }
  return missing;
}

/** Fingerprint of all that decides what the compiler emits: by size and time of change, so that it is quick. */
export function buildFingerprint(root, projects = typescriptProjects(root)) {
  const files = [join(root, 'tsconfig.json'), join(root, 'tsconfig.base.json')];
  for (const project of projects) {
    files.push(project.config, join(project.directory, 'package.json'), ...projectSources(project));
  }
  return hashOf(
    files.map((file) => {
      const status = statSync(file, { throwIfNoEntry: false });
      return `${relative(root, file)} ${status?.mtimeMs} ${status?.size}`;
    }),
  );
}

/**
 * Compares each project's output directory with its sources.
 *
 * @returns {{ stale: string[], incomplete: string[] }} `stale`: outputs whose source is gone, which would still be
 *   imported or run as tests; `incomplete`: build-info files of projects with an output missing, which the compiler
 *   would take for up to date.
 */
export function compareOutputs(projects) {
  const stale = [];
  const incomplete = [];
  for (const project of projects) {
    const stems = new Set(
      projectSources(project).map((path) => relative(project.rootDir, path).slice(0, -'.ts'.length)),
    );
    const present = new Set();
    for (const path of walkFiles(
      project.outDir,
      (file) => /\.(js|d\.ts)(\.map)?$/.test(file),
      new Set(['node_modules']),
    )) {
      const stem = relative(project.outDir, path).replace(/\.(js|d\.ts)(\.map)?$/, '');
      if (!stems.has(stem)) stale.push(path);
      else if (path.endsWith('.js')) present.add(stem);
    }
    if (present.size < stems.size) incomplete.push(project.buildInfo);
  }
  return { stale, incomplete };
}

const stampPath = (root) => join(root, '.bootstrap-stamp');

/** @returns {{ install?: string, build?: string }} what is known to be done; empty when unknown or unreadable */
export function readStamp(root) {
  try {
    const { install, build } = JSON.parse(readFileSync(stampPath(root), 'utf8'));
    return { install, build };
  } catch {
    return {};
  }
}

/** Replaces the stamp in one step. */
export function writeStamp(root, stamp) {
  const temporary = `${stampPath(root)}.${process.pid}`;
  writeFileSync(temporary, `${JSON.stringify(stamp, undefined, 2)}\n`);
  renameSync(temporary, stampPath(root));
}

/** @returns {{ install: boolean, build: boolean }} the steps that have to be done */
export function neededSteps(root) {
  const stamp = readStamp(root);
  if (stamp.install !== installFingerprint(root) || missingDependencies(root).length > 0)
    return { install: true, build: true };
  const projects = typescriptProjects(root);
  const { stale, incomplete } = compareOutputs(projects);
  const build = stamp.build !== buildFingerprint(root, projects) || stale.length > 0 || incomplete.length > 0;
  return { install: false, build };
}

/**
 * Takes the lock of this checkout, waiting while a living process holds it; one left by a dead process is taken over.
 *
 * @returns {Promise<() => void>} gives the lock back
 */
export async function takeLock(root, say, patienceMs = LOCK_PATIENCE_MS) {
  const path = `${stampPath(root)}.lock`;
  const deadline = Date.now() + patienceMs;
  let told = false;
  for (;;) {
    try {
      writeFileSync(path, String(process.pid), { flag: 'wx' });
      return () => rmSync(path, { force: true });
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    const owner = lockOwner(path);
    if (owner === 'dead') {
      rmSync(path, { force: true });
      continue;
    }
    if (Date.now() > deadline)
      throw new Error(
        `Cannot take the lock: held for too long by process ${owner}. If that is another program, remove ${path}.`,
      );
    if (!told) say(`waiting for another bootstrap (process ${owner}) to finish`);
    told = true;
    await sleep(LOCK_POLL_MS);
  }
}

/** The process that holds the lock, `'dead'` if it has ended, `'unknown'` while it is only just writing its number. */
function lockOwner(path) {
  try {
    const pid = Number(readFileSync(path, 'utf8'));
    if (!(pid > 0)) return Date.now() - statSync(path).mtimeMs > 5_000 ? 'dead' : 'unknown';
    process.kill(pid, 0);
    return pid;
  } catch (error) {
    if (error.code === 'EPERM') return 'unknown';
    return error.code === 'ESRCH' ? 'dead' : 'unknown';
  }
}

/** Runs a child with its output on stderr; throws what `describe` says when it fails. */
async function step(command, args, cwd, describe, stdout = 2) {
  const env = { ...FETCH_RETRIES, ...process.env };
  const { exitCode, interrupted, error } = await runChild(command, args, { cwd, env, stdio: ['ignore', stdout, 2] });
  if (interrupted) throw new Error(`Interrupted: ${command} ${args.join(' ')}`);
  if (exitCode !== 0) throw new Error(describe(error ? error.message : `exit code ${exitCode}`));
}

async function install(root, say) {
  const { packageManager } = readJson(join(root, 'package.json'));
  const npx = process.platform === 'win32' ? 'npx.cmd' : 'npx';
  const pnpm = ['--prefer-offline', '-y', packageManager];
  say(`installing dependencies with ${packageManager}`);
  const remedy = 'Check the network and the registry (npm config get registry), then run the same command again.';
  await step(
    npx,
    [...pnpm, '--version'],
    root,
    (why) => `Cannot fetch ${packageManager} through npx: ${why}. ${remedy}`,
    'ignore',
  );
  const args = [...pnpm, 'install', '--frozen-lockfile', '--prefer-offline', '--config.confirm-modules-purge=false'];
  await step(
    npx,
    args,
    root,
    (why) => `Cannot install the dependencies: pnpm install --frozen-lockfile ended with ${why}. ${remedy}`,
  );
  const missing = missingDependencies(root);
  if (missing.length > 0) throw new Error(`Cannot install the dependencies: still missing are ${missing.join(', ')}.`);
}

async function build(root, say) {
  const { stale, incomplete } = compareOutputs(typescriptProjects(root));
  for (const path of [...stale, ...incomplete]) rmSync(path, { force: true });
  if (stale.length > 0) say(`removed ${stale.length} outputs whose source is gone`);
  say('compiling');
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  await step(process.execPath, [tsc, '-b'], root, (why) => `Cannot compile the sources: tsc -b ended with ${why}.`);
}

/**
 * Brings the checkout up to date.
 *
 * @param {string} root
 * @param {{ forceBuild?: boolean, say?: (line: string) => void }} options
 * @throws {Error} when a step fails; its message names the step and the remedy
 */
export async function bootstrap(
  root,
  { forceBuild = false, say = (line) => console.error(`bootstrap: ${line}`) } = {},
) {
  const needed = neededSteps(root);
  if (!needed.install && !needed.build && !forceBuild) return;
  const unlock = await takeLock(root, say);
  try {
    const { install: mustInstall, build: mustBuild } = neededSteps(root);
    if (mustInstall) {
      writeStamp(root, {});
      const fingerprint = installFingerprint(root);
      await install(root, say);
      writeStamp(root, { install: fingerprint });
    }
    if (mustBuild || forceBuild) {
      const { install: installed } = readStamp(root);
      writeStamp(root, { install: installed });
      // Taken before compiling: a source that changes meanwhile makes the next call compile again.
      const fingerprint = buildFingerprint(root);
      await build(root, say);
      writeStamp(root, { install: installed, build: fingerprint });
    }
  } finally {
    unlock();
  }
}

if (isMainModule(import.meta.url)) {
  const problem = nodeVersionProblem();
  if (problem !== undefined) {
    console.error(problem);
    process.exit(1);
  }
  try {
    await bootstrap(repositoryRoot, { forceBuild: process.argv.includes('--build') });
  } catch (error) {
    console.error(`bootstrap: ${error.message}`);
    process.exitCode = 1;
  }
}
