import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  applyOverrides,
  type ExecuteOptions,
  executeRun,
  type LoadedScenario,
  loadScenario,
  parseScenario,
  prepareRun,
  type RunOptions,
  type RunOutcome,
  type ScenarioOverrides,
} from '@dmabuf-lab/lab';
import { runTwice } from './run-twice.js';

/** The root of the repository, seen from the compiled test. */
export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
export const example = (name: string): string => `${ROOT}examples/${name}.yaml`;
export const workedExample = (name: string): string => `${ROOT}tests/scenarios/${name}.yaml`;

/** A real clip that lies beside the repository on some machines. */
export const CLIP = `${ROOT}../shared/clips/street-768x576-10fps.mp4`;
export const clipIsThere = (): boolean => existsSync(CLIP);

export interface FileRun {
  readonly overrides?: ScenarioOverrides;
  readonly cameraFile?: string;
  readonly trace?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: RunOptions['onProgress'];
  readonly onOutput?: RunOptions['onOutput'];
  readonly longWaitMs?: number;
}

export async function runFile(path: string, options: FileRun = {}): Promise<RunOutcome> {
  const loaded = await loadScenario(path);
  return await runLoaded(loaded, options);
}

export async function runText(text: string, options: FileRun = {}): Promise<RunOutcome> {
  return await runLoaded(parseScenario(text, 'test.yaml'), options);
}

/**
 * Runs a scenario, one in twenty twice (`isTwice`): then the executions must be the same. Never twice where a test watches
 * or stops the run, which would see two of them, and on threads.
 */
async function runLoaded(loaded: LoadedScenario, options: FileRun): Promise<RunOutcome> {
  const { overrides = {}, cameraFile, trace = false, ...watch } = options;
  const changed = { ...loaded, scenario: applyOverrides(loaded.scenario, overrides) };
  const execute = async (onEvent?: ExecuteOptions['onEvent']): Promise<RunOutcome> => {
    const prepared = await prepareRun(changed, { cameraFile });
    return await executeRun(prepared, { ...watch, collectTrace: trace, onEvent });
  };
  const isWatched = [watch.signal, watch.onProgress, watch.onOutput].some((given) => given !== undefined);
  return isTwice(changed.scenario) && !isWatched ? await runTwice(changed.scenario.name, execute) : await execute();
}

/** Of the scenarios in virtual time one of so many is executed twice. */
const TWICE_EVERY = 20;

/** Whether a scenario is executed twice: its content decides, so these are always the same, wherever the repository lies. */
export function isTwice(scenario: LoadedScenario['scenario']): boolean {
  if (scenario.runtime !== 'virtual') return false;
  const content = JSON.stringify(scenario).replaceAll(ROOT, '');
  return createHash('sha256').update(content).digest().readUInt32BE() % TWICE_EVERY === 0;
}

/** Number of frames in a list of ranges. */
export const countOf = (ranges: readonly (readonly [number, number])[]): number =>
  ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);

/** The numbers in a list of ranges. */
export const numbersOf = (ranges: readonly (readonly [number, number])[]): number[] =>
  ranges.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i));
