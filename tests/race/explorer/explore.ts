/** Explores a board with a strategy, up to a number of schedules; a failure comes back shrunk, with what repeats it. */
import type { Board, Failure } from './board.js';
import { runSchedule } from './run.js';
import { formatSchedule, parseSchedule } from './schedule.js';
import { shrink } from './shrink.js';
import { Replay, type Strategy } from './strategy.js';

export interface FoundFailure extends Failure {
  /** The strategy and its seed. */
  readonly by: string;
  /** The schedule as it was found, and the short one; both for `replay`. */
  readonly found: string;
  readonly schedule: string;
}

export interface Exploration {
  readonly schedules: number;
  readonly steps: number;
  /** Whether the strategy has no further schedule. */
  readonly exhausted: boolean;
  readonly failure: FoundFailure | undefined;
}

export interface Budget {
  readonly schedules: number;
  /** Crashes in one schedule at most. */
  readonly crashes?: number;
  /** Asked now and then whether there is time for more. */
  mayGoOn?(): boolean;
}

/** Schedules between two questions whether there is time. */
const BETWEEN_QUESTIONS = 16;

export function explore(board: Board, strategy: Strategy, budget: Budget): Exploration {
  const { schedules, crashes = 0 } = budget;
  let steps = 0;
  for (let count = 0; count < schedules; count += 1) {
    if (count % BETWEEN_QUESTIONS === 0 && budget.mayGoOn?.() === false) {
      return { schedules: count, steps, exhausted: false, failure: undefined };
    }
    if (!strategy.begin()) return { schedules: count, steps, exhausted: true, failure: undefined };
    const result = runSchedule(board, strategy, crashes);
    strategy.end?.(result.steps);
    steps += result.steps;
    if (result.failure === undefined) continue;
    const shrunk = shrink(board, result.schedule, result.failure, crashes);
    const failure = {
      ...shrunk.failure,
      by: strategy.name,
      found: formatSchedule(result.schedule),
      schedule: formatSchedule(shrunk.schedule),
    };
    return { schedules: count + 1, steps, exhausted: false, failure };
  }
  return { schedules, steps, exhausted: false, failure: undefined };
}

/** Runs the one schedule that a text names. @returns what fails in it */
export function replay(board: Board, schedule: string): Failure | undefined {
  const parts = parseSchedule(schedule);
  const crashes = parts.filter(({ crash }) => crash).length;
  return runSchedule(board, new Replay(parts), crashes).failure;
}

/** A failure as a test prints it: what broke, and the two ways to see it again. */
export function describeFailure({ kind, message, by, schedule, found }: FoundFailure): string {
  return `${kind}: ${message}\n  found by ${by}\n  replay ${schedule === '' ? "'' (nobody is interrupted)" : schedule}\n  before shrinking ${found}`;
}
