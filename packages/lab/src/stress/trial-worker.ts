/** A trial in a worker of the pool. */
import { divergenceFrom, hashedTrial } from './fingerprints.js';
import type { StressPlan } from './plan.js';
import { runTrial } from './run-trial.js';
import type { TrialResult } from './trial-result.js';

export interface TrialTask {
  readonly plan: StressPlan;
  /** Whether it is executed twice, and the executions compared. */
  readonly twice: boolean;
  readonly driverModule?: string;
}

/** Runs a trial. That two executions differ is a violation. */
export async function runTask({ plan, twice, driverModule }: TrialTask): Promise<TrialResult> {
  if (!twice) return await runTrial(plan, { driverModule });
  const first = await hashedTrial(plan, { driverModule });
  const divergence = await divergenceFrom(first, { driverModule });
  const { result } = first;
  if (divergence === undefined) return { ...result, twice: true };
  const text = `two executions of seed ${plan.seed} are not the same: ${divergence}`;
  const violations = [...result.violations, { text, buffer: null, actor: null, history: [] }];
  return { ...result, twice: true, violations, violationCount: result.violationCount + 1 };
}

export default runTask;
