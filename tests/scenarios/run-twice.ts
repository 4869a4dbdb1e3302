/** A run of a scenario that is executed twice. */
import { isDeepStrictEqual } from 'node:util';
import { divergenceBetween, type ExecuteOptions, hashedExecution, type RunOutcome } from '@dmabuf-lab/lab';

/** How an execution ended. */
type Ended = { readonly fingerprint: string | null } & ({ readonly outcome: RunOutcome } | { readonly error: unknown });

/**
 * Executes a run twice. Both must do the same things in the same order and come to the same: result, trace and what is
 * written, or the error.
 *
 * @throws Error that names the first event in which they differ, or else the first value; the run's own, where both fail alike
 */
export async function runTwice(
  name: string,
  execute: (onEvent: ExecuteOptions['onEvent']) => Promise<RunOutcome>,
): Promise<RunOutcome> {
  const executeToEnd = async (onEvent: ExecuteOptions['onEvent']): Promise<Ended> => {
    try {
      const outcome = await execute(onEvent);
      return { fingerprint: outcome.result.fingerprint, outcome };
    } catch (error) {
      return { fingerprint: null, error };
    }
  };
  const [first, second] = [await hashedExecution(executeToEnd), await hashedExecution(executeToEnd)];
  const found =
    (await divergenceBetween(first, second, executeToEnd)) ?? differenceBetween(first.result, second.result, 'the run');
  if (found !== undefined) throw new Error(`two executions of ${name} are not the same: ${found}`);
  if ('error' in first.result) throw first.result.error;
  return first.result.outcome;
}

/** The first value in which two things differ, and where it is. */
function differenceBetween(a: unknown, b: unknown, where: string): string | undefined {
  if (isDeepStrictEqual(a, b)) return undefined;
  if (isPlain(a) && isPlain(b)) {
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
      const found = differenceBetween(a[key], b[key], `${where}.${key}`);
      if (found !== undefined) return found;
    }
  }
  return `the same events, but ${where} is ${String(a)} in one, ${String(b)} in the other`;
}

const isPlain = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !(value instanceof Error);
