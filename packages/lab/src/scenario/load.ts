/** Reads scenario files. Everything that is wrong with a file is found at once, with its position. */
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { Library, type LibraryDirectory, libraryProblem } from '../library/library.js';
import { checkScenario } from './check.js';
import type { ScenarioDocument } from './document.js';
import { withHints } from './misplaced-parameters.js';
import { ScenarioError, type ScenarioProblem } from './problem.js';
import { resolveScenario } from './resolve.js';
import { type Scenario, type StatedScenario, scenarioSchema } from './schema.js';
import { fileError, readError, readYaml, textOf } from './yaml-file.js';

/** A scenario that is in order, with the file it came from. */
export interface LoadedScenario {
  readonly scenario: Scenario;
  readonly document: ScenarioDocument;
  /** Absolute path of where its relative paths and the names of packages lead from. */
  readonly directory: string;
}

/** Where a scenario finds what it names. */
export interface LoadOptions {
  /** Directories with profiles and boards beside those of the lab and of the scenario's own `library`. */
  readonly libraries?: readonly LibraryDirectory[];
  /** Where relative paths of the file lead from; the working directory when absent. */
  readonly directory?: string;
  /** Changes the plain value of the file before it is checked, as `--what-if` does. */
  readonly edit?: (value: unknown) => unknown;
}

/**
 * Reads and checks a scenario file.
 *
 * @param shownAs the name of the file in messages
 * @throws ScenarioError when the file cannot be read, is no YAML, or is no scenario that can run
 */
export async function loadScenario(path: string, shownAs = path, options: LoadOptions = {}): Promise<LoadedScenario> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw readError(error, shownAs, 'scenario');
  }
  if (MODULE.test(path)) throw fileError(shownAs, NO_SCENARIO);
  const text = textOf(bytes, shownAs, 'scenario');
  const directory = options.directory ?? dirname(path);
  try {
    return parseScenario(text, shownAs, { ...options, directory });
  } catch (error) {
    throw await withHints(error, () => readYaml(text, shownAs, 'scenario').value, resolve(directory));
  }
}

const MODULE = /\.[cm]?[jt]sx?$/;
const NO_SCENARIO =
  'this is a module and no scenario: `dmabuf-lab check-driver` checks a driver, and a scenario runs it, which names it in driver:';

/**
 * Checks the text of a scenario.
 *
 * @param fileName for messages
 * @throws ScenarioError with every problem found
 */
export function parseScenario(text: string, fileName: string, options: LoadOptions = {}): LoadedScenario {
  const { value: written, document } = readYaml(text, fileName, 'scenario');
  const value = options.edit?.(written) ?? written;
  const parsed = document.validateWith(scenarioSchema, value, []);
  if ('problems' in parsed) throw new ScenarioError(inFileOrder(parsed.problems));
  const resolved = resolveScenario(parsed.value, document, libraryOf(parsed.value, document, options));
  if ('problems' in resolved) throw new ScenarioError(inFileOrder(resolved.problems));
  const directory = resolve(options.directory ?? '.');
  const problems = checkScenario(resolved.scenario, document, directory);
  if (problems.length > 0) throw new ScenarioError(inFileOrder(problems));
  return { scenario: resolved.scenario, document, directory };
}

/** The lab's own library and what the scenario and the command line add to it. */
export function libraryOf(stated: StatedScenario, document: ScenarioDocument, options: LoadOptions): Library {
  const { directory = '.', libraries = [] } = options;
  const own = (stated.library ?? []).map((path, i) => {
    const found = { path: resolve(directory, path), shownAs: path };
    const problem = libraryProblem(found);
    if (problem === undefined) return found;
    throw new ScenarioError([document.problemAt(['library', i], `${problem}, got ${JSON.stringify(path)}`)]);
  });
  return new Library([...own, ...libraries]);
}

function inFileOrder(problems: readonly ScenarioProblem[]): ScenarioProblem[] {
  return [...problems].sort((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
}
