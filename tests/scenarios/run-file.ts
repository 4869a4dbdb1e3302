import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  applyOverrides,
  executeRun,
  loadScenario,
  parseScenario,
  prepareRun,
  type RunOptions,
  type RunOutcome,
  type ScenarioOverrides,
} from '@dmabuf-lab/lab';

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

async function runLoaded(loaded: Awaited<ReturnType<typeof loadScenario>>, options: FileRun): Promise<RunOutcome> {
  const { overrides = {}, cameraFile, trace = false, ...watch } = options;
  const changed = { ...loaded, scenario: applyOverrides(loaded.scenario, overrides) };
  const prepared = await prepareRun(changed, { cameraFile });
  return await executeRun(prepared, { ...watch, collectTrace: trace });
}

/** Number of frames in a list of ranges. */
export const countOf = (ranges: readonly (readonly [number, number])[]): number =>
  ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);

/** The numbers in a list of ranges. */
export const numbersOf = (ranges: readonly (readonly [number, number])[]): number[] =>
  ranges.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i));
