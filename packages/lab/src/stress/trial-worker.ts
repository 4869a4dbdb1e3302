/** A trial in a worker of the pool. */
import { divergenceFrom, hashedTrial } from './fingerprints.js';
import { loadOwnDrivers, type OwnDriverPaths } from './own-drivers.js';
import { runPipelineTrial } from './pipeline-trial.js';
import type { StressPlan } from './plan.js';
import { runTrial } from './run-trial.js';
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

/** Runs a trial. That two executions differ is a violation. */
export async function runTask(task: TrialTask): Promise<TrialResult> {
  const { plan, twice, driverModule, ownDrivers } = task;
  if (ownDrivers !== undefined) return await runPipelineTask(task, ownDrivers);
  const options = { driverModule, ...watchFor(task) };
  if (!twice) return await runTrial(plan, options);
  const first = await hashedTrial(plan, options);
  if (options.signal.aborted) return first.result;
  const divergence = await divergenceFrom(first, options);
  return options.signal.aborted ? first.result : compared(first.result, divergence);
}

async function runPipelineTask(task: TrialTask, own: OwnDriverPaths): Promise<TrialResult> {
  const drivers = await loadOwnDrivers(own);
  const { plan, twice } = task;
  const watch = { folder: own.folder, ...watchFor(task) };
  const first = await runPipelineTrial(plan, drivers, watch);
  if (!twice || watch.signal.aborted) return first;
  const second = await runPipelineTrial(plan, drivers, watch);
  if (watch.signal.aborted) return first;
  const isSame = first.fingerprint === second.fingerprint;
  return compared(first, isSame ? undefined : `fingerprints ${first.fingerprint} and ${second.fingerprint}`);
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

function compared(result: TrialResult, divergence: string | undefined): TrialResult {
  if (divergence === undefined) return { ...result, twice: true };
  const text = `two executions of seed ${result.seed} are not the same: ${divergence}`;
  const violations = [...result.violations, { text, buffer: null, actor: null, history: [] }];
  return { ...result, violations, violationCount: result.violationCount + 1 };
}

export default runTask;
