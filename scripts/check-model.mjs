/**
 * `npm run test:model`: checks the Promela model of map, unmap, move, death and reclaim with spin.
 *
 *   npm run test:model            the configurations that have to be in order, and the mutants that have to fail
 *   npm run test:model -- --deep  larger configurations as well
 *
 * A configuration passes when the search has seen every state and found no error; a mutant, when the search has found an
 * error of the kind that it must cause. `npm test` does a short form. Where spin or a C compiler is missing, this says so
 * and ends with 0. What is generated lies in a temporary folder.
 */
import { constants } from 'node:fs';
import { access, mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { CONFIGURATIONS, MUTANTS } from '../tests/model/runs.mjs';
import { runChild } from './child.mjs';
import { isMainModule, repositoryRoot } from './workspace.mjs';

const MODEL = join(repositoryRoot, 'tests', 'model', 'map-move.pml');
/** What a search may use. A run that needs more has not been completed, and fails. */
const MEMORY_MIB = { short: 2_000, standard: 2_000, deep: 8_000 };
/** Steps of one run of the model; the longest has fewer than 500. */
const DEPTH = 20_000;
const RANKS = ['short', 'standard', 'deep'];

/** The numbers of the model's assertions (HOLDS), by what is wrong when they do not hold. */
const kindOf = (number) => (number < 10 ? 'pages' : 'left');

/**
 * Reads what pan printed.
 *
 * @param {string} text
 * @returns {{ states: number, seconds: number, verdict: 'complete' | 'incomplete' | 'error', finds?: string,
 *   message?: string }} `finds`: as in tests/model/runs.mjs, or `endless`
 */
export function readReport(text) {
  const number = (pattern) => Number(pattern.exec(text)?.[1] ?? 0);
  const states = number(/^\s*(\d+) states, stored/m);
  const seconds = number(/^pan: elapsed time ([\d.e+-]+) seconds/m);
  const message = /^pan:\d+: (.*?)\s*$/m.exec(text)?.[1];
  if (message !== undefined) {
    const asserted = /^assertion violated .*&&\s*(\d+)\)/.exec(message);
    let finds = 'unknown';
    if (asserted !== null) finds = kindOf(Number(asserted[1]));
    else if (message.startsWith('invalid end state')) finds = 'hang';
    else if (/cycle/.test(message)) finds = 'endless';
    return { states, seconds, verdict: 'error', finds, message };
  }
  const isCut = /Search not completed|too small|reached -DMEMLIM|out of memory|interrupted/i.test(text);
  const isComplete = states > 0 && /errors: 0$/m.test(text) && !isCut;
  return { states, seconds, verdict: isComplete ? 'complete' : 'incomplete' };
}

/** What is wrong with a report, given what was wanted: `finds` for a mutant. Undefined when it is as it should be. */
export function problemOf(report, finds) {
  if (report.verdict === 'incomplete') return 'the search was not completed';
  if (finds === undefined) return report.verdict === 'complete' ? undefined : `${report.finds}: ${report.message}`;
  if (report.verdict === 'complete') return 'the mistake was not found';
  return report.finds === finds ? undefined : `expected ${finds}, got ${report.finds}: ${report.message}`;
}

/** The runs of an extent. Long ones come first in their list, so that no processor is left alone with one. */
export function selectRuns(extent) {
  const isIn = (run) => RANKS.indexOf(run.extent) <= RANKS.indexOf(extent);
  const mutants = MUTANTS.map(({ name, what, defines, finds, ...run }) => {
    return { ...run, name: `${name}: ${what}`, defines: [...defines, `MUT_${name}`], finds };
  });
  return [...CONFIGURATIONS, ...mutants].filter(isIn);
}

/** The path of the first of some commands that there is. */
async function findCommand(names, path = process.env.PATH ?? '') {
  for (const name of names) {
    for (const directory of path.split(delimiter)) {
      const candidate = join(directory, name);
      const found = await access(candidate, constants.X_OK).then(
        () => true,
        () => false,
      );
      if (found) return candidate;
    }
  }
  return undefined;
}

/** What spin and the compiler are, or why the check has to be skipped. */
export async function findTools(path) {
  const spin = await findCommand(['spin'], path);
  const compiler = await findCommand(['gcc', 'cc'], path);
  const missing = [...(spin ? [] : ['spin']), ...(compiler ? [] : ['C compiler'])];
  return missing.length === 0 ? { spin, compiler } : { skipped: `there is no ${missing.join(' and no ')} here` };
}

/** Generates, compiles and searches one run, in a folder of its own. */
async function search({ spin, compiler }, run) {
  const cwd = await mkdtemp(join(tmpdir(), 'dmabuf-lab-model-'));
  let interrupted = false;
  const step = async (command, args) => {
    let output = '';
    const onStdout = (text) => {
      output += text;
    };
    const ended = await runChild(command, args, { cwd, stdio: ['ignore', 'pipe', 'inherit'], onStdout });
    interrupted ||= ended.interrupted;
    if (ended.exitCode !== 0 && !interrupted) throw new Error(`${command} ended with ${ended.exitCode}: ${output}`);
    return output;
  };
  try {
    const defines = run.defines.map((define) => `-D${define}`);
    await step(spin, [`-P${compiler} -E -x c`, ...defines, '-a', MODEL]);
    const goal = run.ends ? '-DNP' : '-DSAFETY';
    // Where the search is short, most of the time is the compiler's.
    const isShort = run.finds !== undefined || run.defines.includes('MOVERS=1');
    const level = isShort ? '-O0' : run.extent === 'deep' ? '-O2' : '-Og';
    const options = [level, '-w', goal, '-DVECTORSZ=256'];
    await step(compiler, [...options, `-DMEMLIM=${MEMORY_MIB[run.extent]}`, '-o', 'pan', 'pan.c']);
    const report = readReport(await step(join(cwd, 'pan'), [`-m${DEPTH}`, '-w22', ...(run.ends ? ['-l'] : [])]));
    return { ...report, interrupted };
  } finally {
    await rm(cwd, { recursive: true, force: true });
  }
}

/** One line of the table. */
function row(run, report, problem) {
  const name = run.finds === undefined ? run.name : `mutant ${run.name}`;
  const verdict = problem ?? (run.finds === undefined ? 'complete, no error' : `found: ${report.finds}`);
  const figures = `${report.states.toLocaleString('en-US').padStart(11)} states ${report.seconds.toFixed(2).padStart(7)} s`;
  return `  ${problem === undefined ? '✔' : '✘ [fail]:'} ${name.padEnd(92)} ${figures}  ${verdict}`;
}

/**
 * @param {'short' | 'standard' | 'deep'} extent
 * @param {{ log?: (line: string) => void, path?: string }} [options] `path`: where to look for the tools
 * @returns {Promise<{ problems: string[], notes: string[], interrupted: boolean, passed: number, skipped?: string }>}
 */
export async function checkModel(extent, { log = () => {}, path } = {}) {
  const result = { problems: [], notes: [], interrupted: false, passed: 0 };
  const tools = await findTools(path);
  if (tools.skipped !== undefined) return { ...result, skipped: tools.skipped };
  const waiting = selectRuns(extent);
  const work = async () => {
    for (let run = waiting.shift(); run !== undefined && !result.interrupted; run = waiting.shift()) {
      const report = await search(tools, run);
      result.interrupted ||= report.interrupted;
      if (result.interrupted) return;
      const problem = problemOf(report, run.finds);
      log(row(run, report, problem));
      if (problem === undefined) result.passed += 1;
      else result.problems.push(`${run.name} (${run.defines.join(' ')}): ${problem}`);
    }
  };
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), 4) }, work));
  return result;
}

if (isMainModule(import.meta.url)) {
  const args = process.argv.slice(2);
  if (args.some((arg) => arg !== '--deep')) {
    console.error(`Cannot check the model: expected nothing or --deep, got ${args.join(' ')}`);
    process.exitCode = 2;
  } else {
    const result = await checkModel(args.length > 0 ? 'deep' : 'standard', { log: console.log });
    if (result.skipped !== undefined) console.log(`skipped: the model was not checked, ${result.skipped}`);
    else console.log(`${result.passed} passed, ${result.problems.length} failed`);
    process.exitCode = result.interrupted ? 130 : result.problems.length === 0 ? 0 : 1;
  }
}
