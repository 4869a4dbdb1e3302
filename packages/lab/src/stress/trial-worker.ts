/** A trial in a worker of the pool. */
import { divergenceFrom, hashedTrial } from './fingerprints.js';
import { loadOwnDrivers, type OwnDriverPaths } from './own-drivers.js';
import { runPipelineTrial } from './pipeline-trial.js';
import type { StressPlan } from './plan.js';
import { runTrial } from './run-trial.js';
import type { TrialResult } from './trial-result.js';

export interface TrialTask {
  readonly plan: StressPlan;
  /** Whether it is executed twice, and the executions compared. */
  readonly twice: boolean;
  readonly driverModule?: string;
  /** Modules of users: their pipeline is run, in place of random sharing. */
  readonly ownDrivers?: OwnDriverPaths;
}

/** Runs a trial. That two executions differ is a violation. */
export async function runTask(task: TrialTask): Promise<TrialResult> {
  const { plan, twice, driverModule, ownDrivers } = task;
  if (ownDrivers !== undefined) return await runPipelineTask(task, ownDrivers);
  if (!twice) return await runTrial(plan, { driverModule });
  const first = await hashedTrial(plan, { driverModule });
  return compared(first.result, await divergenceFrom(first, { driverModule }));
}

async function runPipelineTask({ plan, twice }: TrialTask, own: OwnDriverPaths): Promise<TrialResult> {
  const drivers = await loadOwnDrivers(own);
  const { folder } = own;
  const first = await runPipelineTrial(plan, drivers, { folder });
  if (!twice) return first;
  const second = await runPipelineTrial(plan, drivers, { folder });
  const isSame = first.fingerprint === second.fingerprint;
  return compared(first, isSame ? undefined : `fingerprints ${first.fingerprint} and ${second.fingerprint}`);
}

function compared(result: TrialResult, divergence: string | undefined): TrialResult {
  if (divergence === undefined) return { ...result, twice: true };
  const text = `two executions of seed ${result.seed} are not the same: ${divergence}`;
  const violations = [...result.violations, { text, buffer: null, actor: null, history: [] }];
  return { ...result, violations, violationCount: result.violationCount + 1 };
}

export default runTask;
