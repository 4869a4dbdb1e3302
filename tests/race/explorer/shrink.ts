/** Makes the schedule of a failure short: fewer crashes, fewer switches, fewer steps, the same failure. */
import type { Board, Failure } from './board.js';
import { runSchedule } from './run.js';
import type { Schedule, Segment } from './schedule.js';
import { Replay } from './strategy.js';

export interface Shrunk {
  readonly schedule: Schedule;
  readonly failure: Failure;
  /** Schedules that it took. */
  readonly tries: number;
}

/** The same kind of failure: numbers aside, and for waits whoever they are. */
export function isAlike(one: Failure, other: Failure | undefined): boolean {
  if (other === undefined || one.kind !== other.kind) return false;
  return one.kind !== 'broken' || withoutNumbers(one.message) === withoutNumbers(other.message);
}

const withoutNumbers = (text: string): string => text.replace(/\d+/g, '#');

/** Crashes weigh most, then parts, then steps that are prescribed. */
function weight(schedule: Schedule): number {
  let sum = 0;
  for (const { steps, crash } of schedule) sum += (crash ? 1e6 : 0) + 1e3 + (Number.isFinite(steps) ? steps : 0);
  return sum;
}

/**
 * Delta debugging on the parts of a schedule (Zeller and Hildebrandt, 2002), then on each part: left out, joined with the
 * next of the same actor, its steps left open or fewer.
 */
export function shrink(board: Board, schedule: Schedule, failure: Failure, crashes: number): Shrunk {
  let tries = 0;
  let best = schedule;
  let found = failure;
  const attempt = (candidate: Schedule): boolean => {
    if (weight(candidate) >= weight(best)) return false;
    tries += 1;
    const result = runSchedule(board, new Replay(candidate), crashes);
    if (!isAlike(failure, result.failure)) return false;
    best = candidate;
    found = result.failure as Failure;
    return true;
  };
  for (let before = -1; before !== weight(best); ) {
    before = weight(best);
    leaveOut(() => best, attempt);
    for (let i = 0; i < best.length; i += 1) while (i < best.length && shorten(best, i, attempt));
  }
  return { schedule: best, failure: found, tries };
}

/** Leaves out halves, then quarters, … then single parts. */
function leaveOut(best: () => Schedule, attempt: (candidate: Schedule) => boolean): void {
  for (let size = Math.ceil(best().length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < best().length; ) {
      const shorter = joined([...best().slice(0, from), ...best().slice(from + size)]);
      if (!attempt(shorter)) from += size;
    }
  }
}

/** Tries smaller forms of one part; whether one of them fails alike. */
function shorten(best: Schedule, i: number, attempt: (candidate: Schedule) => boolean): boolean {
  const part = best[i];
  const replaced = (...parts: Segment[]): Schedule => joined([...best.slice(0, i), ...parts, ...best.slice(i + 1)]);
  if (part.crash) return false;
  if (Number.isFinite(part.steps)) {
    if (attempt(replaced({ actor: part.actor, steps: Number.POSITIVE_INFINITY }))) return true;
    for (let fewer = 1; fewer < part.steps; fewer += Math.max(1, Math.floor(part.steps / 8))) {
      if (attempt(replaced({ actor: part.actor, steps: fewer }))) return true;
    }
  }
  // Two parts of one actor become one, with what lay between them before or after it.
  const next = best.findIndex((other, at) => at > i && other.actor === part.actor && !other.crash);
  if (next < 0) return false;
  const whole = { actor: part.actor, steps: part.steps + best[next].steps };
  const between = best.slice(i + 1, next);
  const rest = best.slice(next + 1);
  return (
    attempt(joined([...best.slice(0, i), whole, ...between, ...rest])) ||
    attempt(joined([...best.slice(0, i), ...between, whole, ...rest]))
  );
}

/** Neighbours of one actor as one part. */
function joined(parts: readonly Segment[]): Segment[] {
  const result: Segment[] = [];
  for (const part of parts) {
    const last = result[result.length - 1];
    const same = last !== undefined && last.actor === part.actor && !last.crash && !part.crash;
    if (same) result[result.length - 1] = { actor: part.actor, steps: last.steps + part.steps };
    else result.push(part);
  }
  return result;
}
