/** What becomes of actors that have not ended by the deadline after the end of the scenario, the same for both runtimes. */
import { ErrnoError } from '../base/index.js';
import type { RunSpec, ShutdownDeadline } from './actor.js';
import type { Supervisor } from './supervision/index.js';

const NS_PER_S = 1_000_000_000;

/** An actor that ought to have ended, and what its generators wait for, as far as it is known. */
export interface OverdueActor {
  readonly name: string;
  readonly waits: readonly string[];
  /** Whether all of its generators wait for what somebody else does: then it may be no fault of its own. */
  readonly isHeldUp: boolean;
}

/**
 * Ends them, where deaths are dealt with; those that others hold up only when nobody is left who could.
 *
 * @param all those who have not ended, or are not cleaned up after; empty when only those who serve are left
 * @param serving the names of those
 * @returns what the run fails with otherwise: ETIMEDOUT, naming them and what they wait for
 */
export function endOverdue(
  all: readonly OverdueActor[],
  serving: readonly string[],
  { supervision }: RunSpec,
  { graceNs }: ShutdownDeadline,
  supervisor: Supervisor,
): ErrnoError | undefined {
  const ownFault = all.filter(({ isHeldUp }) => !isHeldUp);
  const overdue = ownFault.length > 0 ? ownFault : all;
  if (overdue.length === 0) return failure(serving, [], graceNs);
  if (supervision !== undefined) {
    for (const { name, waits } of overdue) supervisor.endOverdue(name, `it ${late(graceNs)}${inWords(waits)}`);
    return undefined;
  }
  const names = overdue.map(({ name }) => name);
  return failure(
    names,
    overdue.flatMap(({ waits }) => waits),
    graceNs,
  );
}

function failure(actors: readonly string[], waits: readonly string[], graceNs: number): ErrnoError {
  const message = `The run does not end: ${actors.join(', ')} ${late(graceNs)}${inWords(waits)}`;
  return new ErrnoError('ETIMEDOUT', 'shutdown', message, { actors, waits });
}

const late = (graceNs: number): string => `had not ended ${graceNs / NS_PER_S} s after the end of the scenario`;

const inWords = (waits: readonly string[]): string => (waits.length === 0 ? '' : ` (${waits.join('; ')})`);
