/** A trial in virtual time that is executed twice: that the executions differ is a violation. */
import { divergenceBetween, type Execute, hashedExecution } from '../run/index.js';
import type { TrialResult } from './trial-result.js';

export type OnEvent = Parameters<Execute<TrialResult>>[0];

/**
 * Executes a trial twice and compares.
 *
 * @param execute the first execution
 * @param again the further ones
 * @returns the result of the first; interrupted when the signal came while they were compared
 */
export async function runTwice(
  execute: Execute<TrialResult>,
  again: Execute<TrialResult>,
  signal?: AbortSignal,
): Promise<TrialResult> {
  const isStopped = (): boolean => signal?.aborted === true;
  const first = await hashedExecution(execute);
  if (isStopped()) return first.result;
  const second = await hashedExecution(again);
  if (isStopped()) return { ...first.result, interrupted: true };
  const divergence = await divergenceBetween(first, second, again);
  return isStopped() ? { ...first.result, interrupted: true } : compared(first.result, divergence);
}

function compared(result: TrialResult, divergence: string | undefined): TrialResult {
  if (divergence === undefined) return { ...result, twice: true };
  const text = `two executions of seed ${result.seed} are not the same: ${divergence}`;
  const violations = [...result.violations, { text, buffer: null, actor: null, history: [] }];
  return { ...result, violations, violationCount: result.violationCount + 1 };
}
