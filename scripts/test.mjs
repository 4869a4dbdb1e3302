/**
 * `npm test`: every check of this repository, and one line that sums them up.
 *
 *   npm test                     lint and format, layers, tidiness, the model in short, then all tests
 *   npm test -- unit/core seqno  only the test files whose path contains one of the words
 *   npm test -- --match='*EBUSY*' options go to ava
 *   npm run test:runs            whole runs: programs, commands, examples (tests/ava.config.mjs says which)
 *   npm run test:drivers         the tests of drivers of one's own, which take longer (tests/drivers)
 *
 * `TEST_SEED=n` reaches the tests, and `TEST_RUNS=1` makes all runs of the properties. The last line is
 * `N passed, N failed`, where each check that is not a test counts as one; the exit code is 0 only if nothing failed and at
 * least one test ran.
 */
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { runChild } from './child.mjs';
import { displayPath, isMainModule, repositoryRoot, walkFiles } from './workspace.mjs';

/**
 * Reads ava's report as it is written and counts.
 *
 * ava's TAP reporter would be easier to read, but that of ava 7.0.0 breaks down with a TypeError when a test times out,
 * and then the report names neither the test nor those that were to follow. The default reporter names them.
 */
export class AvaReport {
  passed = 0;
  skipped = 0;
  #failed = 0;
  #unfinishedLine = '';
  #inDetails = false;

  /** @param {string} text the next part of ava's standard output, cut anywhere */
  write(text) {
    const lines = (this.#unfinishedLine + text).split('\n');
    this.#unfinishedLine = lines.pop();
    for (const line of lines) this.#readLine(stripVTControlCharacters(line).trimEnd());
  }

  #readLine(line) {
    // The first rule ends the list of tests. What follows may quote anything, but after the last rule come the sums.
    if (/^ {2}[─-]$/.test(line)) {
      this.#inDetails = true;
      this.#failed = 0;
      this.skipped = 0;
      return;
    }
    if (!this.#inDetails) {
      if (/^ {2}[✔√] /.test(line)) this.passed += 1;
      return;
    }
    const sum = /^ {2}(\d+) (.+)$/.exec(line);
    if (sum === null) return;
    const [, count, what] = sum;
    if (/^tests? skipped$/.test(what)) this.skipped += Number(count);
    if (
      /^(tests?|hooks?) failed$|^(uncaught exception|unhandled rejection|internal error)s?$|remained pending/.test(what)
    ) {
      this.#failed += Number(count);
    }
  }

  /** Number of failures, given how ava ended: a crash that its sums do not tell of counts, and so does an empty run. */
  failures(exitCode) {
    if (this.#failed > 0) return this.#failed;
    return exitCode !== 0 || this.passed === 0 ? 1 : 0;
  }
}

/** Compiled test files, relative to `tests/`, whose path contains one of the words; all of them without words. */
export function selectTests(compiled, words) {
  const wanted = words.map((word) =>
    word
      .replaceAll('\\', '/')
      .replace(/^(\.\/)?(tests\/)?(dist\/)?/, '')
      .replace(/\.test\.[jt]s$/, '.test.js'),
  );
  return compiled.filter((path) => wanted.length === 0 || wanted.some((word) => path.includes(word)));
}

/** A check of the sources: its name, and how to run it. A problem is one printable line or more; `skipped`, why not. */
const SOURCE_CHECKS = [
  {
    name: 'lint and format (biome)',
    async run() {
      const biome = join(repositoryRoot, 'node_modules', '@biomejs', 'biome', 'bin', 'biome');
      const { exitCode, interrupted } = await runChild(process.execPath, [biome, 'check', '--error-on-warnings', '.'], {
        cwd: repositoryRoot,
        stdio: ['ignore', 'inherit', 'inherit'],
      });
      const problems = exitCode === 0 ? [] : ['biome found the problems above; `npm run format` repairs most of them'];
      return { problems, notes: [], interrupted };
    },
  },
  {
    name: 'direction of dependencies (layers)',
    run: async () => (await import('./check-layers.mjs')).checkLayers(repositoryRoot),
  },
  {
    name: 'tidiness',
    run: async () => (await import('./check-tidy.mjs')).checkTidy(repositoryRoot),
  },
  {
    name: 'Promela model, in short (all of it: npm run test:model)',
    run: async () => (await import('./check-model.mjs')).checkModel('short'),
  },
];

async function runSourceChecks(total) {
  for (const check of SOURCE_CHECKS) {
    const { problems, notes, interrupted, skipped } = await check.run().catch((error) => ({
      problems: [`Cannot finish the check: ${error.stack}`],
      notes: [],
      interrupted: false,
    }));
    if (interrupted) return true;
    if (skipped !== undefined) {
      console.log(`  - [skip] ${check.name}: ${skipped}`);
      continue;
    }
    for (const note of notes) console.log(`  note: ${note}`);
    for (const problem of problems) console.log(`  ${problem}`);
    console.log(`  ${problems.length === 0 ? '✔' : '✘ [fail]:'} ${check.name}`);
    total[problems.length === 0 ? 'passed' : 'failed'] += 1;
  }
  return false;
}

/** The options that choose a suite of tests/ava.config.mjs. */
const SUITES = ['--runs', '--drivers'];

async function runAva(total, files, options, suite) {
  const tests = join(repositoryRoot, 'tests');
  const ava = join(tests, 'node_modules', 'ava', 'entrypoints', 'cli.mjs');
  const report = new AvaReport();
  const color = process.stdout.isTTY ? ['--color'] : [];
  const { exitCode, interrupted } = await runChild(process.execPath, [ava, ...color, ...options, ...files], {
    cwd: tests,
    env: { ...process.env, TEST_SUITE: suite },
    stdio: ['ignore', 'pipe', 'inherit'],
    onStdout: (text) => {
      process.stdout.write(text);
      report.write(text);
    },
  });
  if (report.skipped > 0) console.log(`  ${report.skipped} skipped`);
  total.passed += report.passed;
  total.failed += report.failures(exitCode);
  return interrupted;
}

/** @returns {Promise<number>} the exit code */
async function main(args) {
  const chosen = SUITES.find((suite) => args.includes(suite))?.slice(2);
  const options = args.filter((arg) => arg.startsWith('-') && !SUITES.includes(arg));
  const words = args.filter((arg) => !arg.startsWith('-'));
  const total = { passed: 0, failed: 0 };

  const isWhole = words.length === 0 && options.length === 0 && chosen === undefined;
  let interrupted = isWhole && (await runSourceChecks(total));
  if (!interrupted) {
    const tests = join(repositoryRoot, 'tests');
    const compiled = walkFiles(join(tests, 'dist'), (path) => path.endsWith('.test.js'));
    const files = selectTests(
      compiled.map((path) => displayPath(tests, path)),
      words,
    );
    if (files.length === 0) {
      const wanted = words.length === 0 ? '' : ` whose path contains ${words.join(' or ')}`;
      console.log(`  ✘ [fail]: Cannot run the tests: none of ${compiled.length} compiled test files${wanted}`);
      total.failed += 1;
    } else {
      const suite = chosen ?? (words.length === 0 ? 'short' : 'all');
      interrupted = await runAva(total, words.length === 0 ? [] : files, options, suite);
    }
  }
  if (interrupted) {
    console.log('  ✘ [fail]: Interrupted');
    total.failed = Math.max(total.failed, 1);
  }
  console.log(`${total.passed} passed, ${total.failed} failed`);
  if (interrupted) return 130;
  return total.failed === 0 && total.passed > 0 ? 0 : 1;
}

if (isMainModule(import.meta.url)) process.exitCode = await main(process.argv.slice(2));
