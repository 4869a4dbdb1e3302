/** A trial in a worker of the pool. */
import { loadOwnDrivers, type OwnDriverPaths } from './own-drivers.js';
import { runPipelineTrial } from './pipeline-trial.js';
import type { StressPlan } from './plan.js';
import { runTrial } from './run-trial.js';
import { type OnEvent, runTwice } from './run-twice.js';
import type { TrialResult } from './trial-result.js';
import { TrialStopWords } from './trial-stop-words.js';

export interface TrialTask {
  readonly plan: StressPlan;
  /** Whether it is executed twice, and the executions compared. */
  readonly twice: boolean;
  readonly driverModule?: string;
  /** Tells it when to end early. */
  readonly stop?: SharedArrayBuffer;
  /** Modules of users: their pipeline is run, in place of random sharing. */
  readonly ownDrivers?: OwnDriverPaths;
}

/** Runs a trial, once or twice. */
export async function runTask(task: TrialTask): Promise<TrialResult> {
  const { plan, twice, driverModule, ownDrivers } = task;
  const watch = watchFor(task);
  const execute =
    ownDrivers === undefined
      ? (onEvent?: OnEvent) => runTrial(plan, { driverModule, ...watch, onEvent })
      : await pipelineOf(plan, ownDrivers, watch);
  return twice ? await runTwice(execute, execute, watch.signal) : await execute();
}

async function pipelineOf(
  plan: StressPlan,
  own: OwnDriverPaths,
  watch: ReturnType<typeof watchFor>,
): Promise<(onEvent?: OnEvent) => Promise<TrialResult>> {
  const drivers = await loadOwnDrivers(own);
  return (onEvent) => runPipelineTrial(plan, drivers, { folder: own.folder, ...watch, onEvent });
}

/** Stops a trial when the word says so: a worker that runs in virtual time hears of nothing else. */
function watchFor({ stop }: TrialTask): { readonly signal: AbortSignal; readonly onProgress: () => void } {
  const interrupt = new AbortController();
  const words = stop && new TrialStopWords(stop);
  const onProgress = (): void => {
    if (words?.isStopped === true) interrupt.abort();
  };
  return { signal: interrupt.signal, onProgress };
}

export default runTask;
