/** What the histories of a run show at its end, or when it could not end: plain data for the result. */
import { type HistoryEvent, historyOf } from './history-events.js';
import type { HistoryWords } from './history-words.js';

/** Something that the rules of sharing forbid. */
export interface HistoryViolation {
  readonly text: string;
  /** Slot of the buffer. */
  readonly slot?: number;
  readonly device: string;
  /** The shortest part of the buffer's history that explains it; empty for what was found after it in the same buffer. */
  readonly history: readonly HistoryEvent[];
}

export interface HistoryReport {
  /** Events seen. */
  readonly events: number;
  readonly violationCount: number;
  /** The first of them. */
  readonly violations: readonly HistoryViolation[];
}

/**
 * Reads the histories. A lane that still waits for a buffer waits without an end: nobody is stepped any more.
 *
 * @param hasDied whether an actor has died in a life
 */
export function historyReport(
  words: HistoryWords,
  nameOf: (actor: number) => string,
  hasDied: (actor: number, life: number) => boolean,
): HistoryReport {
  const lanes = words.lanesPerActor;
  for (let lane = 0; lane < words.laneCount; lane += 1) {
    const wait = words.waitOf(lane);
    if (wait === undefined || hasDied(Math.floor(lane / lanes), wait.life)) continue;
    words.setWait(lane, wait.life, undefined); // told once
    words.violation(`waited without an end, since ${wait.sinceNs} ns`, wait.slot, lane);
  }
  const told = new Set<number>();
  const violations = words.violations().map((violation): HistoryViolation => {
    const { slot, lane, text } = violation;
    const device = nameOf(Math.floor(lane / lanes));
    if (slot === undefined) return { text, device, history: [] };
    const isFirst = !told.has(slot); // a history stands still after the first violation of its buffer
    told.add(slot);
    return { text, slot, device, history: isFirst ? historyOf(words, violation, nameOf) : [] };
  });
  return { events: words.total('events'), violationCount: words.total('violations'), violations };
}
