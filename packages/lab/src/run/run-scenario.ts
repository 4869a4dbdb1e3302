/** A scenario from its file to its result, in one call. */
import type { RunOutcome } from '../result/index.js';
import { applyOverrides, loadScenario, type ScenarioOverrides } from '../scenario/index.js';
import { executeRun } from './execute.js';
import { prepareRun } from './prepare.js';

export interface RunScenarioOptions extends ScenarioOverrides {
  /** Ends the run early, in order. */
  readonly signal?: AbortSignal;
  /** Keep a trace. Default false. */
  readonly collectTrace?: boolean;
}

/**
 * Runs a scenario of a file.
 *
 * @param options in place of what the file says
 * @throws ScenarioError with file, line and what was expected, before anything starts; ActorError when an actor fails
 */
export async function runScenario(path: string, options: RunScenarioOptions = {}): Promise<RunOutcome> {
  const { signal, collectTrace = false, ...overrides } = options;
  const loaded = await loadScenario(path);
  const scenario = applyOverrides(loaded.scenario, overrides);
  return await executeRun(await prepareRun({ ...loaded, scenario }), { signal, collectTrace });
}
