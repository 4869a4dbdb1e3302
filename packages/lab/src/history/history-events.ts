/** The history of a buffer: what happened to it, in words, and the part of it that explains a violation. */
import type { HistoryWords, LoggedEvent, LoggedViolation } from './history-words.js';

/** Kinds of events, with their numbers in the log. */
export const EVENT = {
  created: 1,
  destroyed: 2,
  attached: 3,
  detached: 4,
  mapped: 5,
  unmapped: 6,
  writes: 7,
  wrote: 8,
  gaveUp: 9,
  reads: 10,
  read: 11,
  published: 12,
  signalled: 13,
  moves: 14,
  moved: 15,
  died: 16,
  violation: 17,
  waits: 18,
} as const;
export type EventKind = keyof typeof EVENT;

const KINDS = new Map<number, EventKind>(Object.entries(EVENT).map(([kind, number]) => [number, kind as EventKind]));

/** An event as a report tells it: plain data. */
export interface HistoryEvent {
  readonly timeNs: number;
  readonly actor: string;
  readonly lane: number;
  readonly life: number;
  readonly event: string;
}

/** The events that explain a violation: those of its buffer since the last good state, and what the culprit did last. */
export function historyOf(
  words: HistoryWords,
  violation: LoggedViolation,
  nameOf: (actor: number) => string,
): HistoryEvent[] {
  const { slot, lane, culprit, life } = violation;
  if (slot === undefined) return [];
  const all = words.history(slot);
  const events = life === undefined ? all : eventsOfLife(all, life);
  const from = lastGoodState(events, lane);
  const before = culprit === undefined ? [] : events.slice(0, from).filter((event) => event.lane === culprit);
  return [...before.slice(-4), ...events.slice(from)].map((event) => describe(event, words.lanesPerActor, nameOf));
}

/** Of a slot's events those in one life of it, and who found the violation. */
function eventsOfLife(events: readonly LoggedEvent[], life: number): LoggedEvent[] {
  // What is older than the first buffer whose beginning is still known, is of the one before.
  const first = events.find(({ kind }) => kind === EVENT.created);
  let present = first === undefined ? life : first.values[0] - 1;
  return events.filter(({ kind, values }) => {
    if (kind === EVENT.created) [present] = values;
    return present === life || kind === EVENT.violation;
  });
}

/**
 * Who of some devices had the pages of a buffer last.
 *
 * @param untilNs when it lost them
 * @returns the lane; undefined when the history does not go back as far
 */
export function lastUser(
  words: HistoryWords,
  { slot, life }: { readonly slot: number; readonly life: number },
  devices: readonly string[],
  untilNs: number,
  nameOf: (actor: number) => string,
): number | undefined {
  const uses = eventsOfLife(words.history(slot), life).filter(({ kind, lane, timeNs }) => {
    const isUse = kind === EVENT.mapped || kind === EVENT.writes || kind === EVENT.reads;
    return isUse && timeNs <= untilNs && devices.includes(nameOf(Math.floor(lane / words.lanesPerActor)));
  });
  // A writer rather than a reader.
  return (uses.findLast(({ kind }) => kind === EVENT.writes) ?? uses.at(-1))?.lane;
}

/** The last event at which a content was whole and nobody was touching; 0 when there is none. */
function lastGoodState(events: readonly LoggedEvent[], violator: number): number {
  const touching = new Set<number>();
  let good = 0;
  for (const [i, { kind, lane }] of events.entries()) {
    const name = KINDS.get(kind);
    if (name === 'created') touching.clear();
    if (name === 'writes' || name === 'reads') touching.add(lane);
    if (name === 'wrote' || name === 'read' || name === 'gaveUp' || name === 'died') touching.delete(lane);
    const isWhole = name === 'wrote' || name === 'created' || (name === 'read' && lane !== violator);
    if (isWhole && touching.size === 0) good = i;
  }
  return good;
}

function describe(
  { timeNs, lane, life, kind, values }: LoggedEvent,
  lanes: number,
  nameOf: (actor: number) => string,
): HistoryEvent {
  return { timeNs, actor: nameOf(Math.floor(lane / lanes)), lane: lane % lanes, life, event: textOf(kind, values) };
}

function textOf(kind: number, [a, b]: readonly [number, number]): string {
  switch (KINDS.get(kind)) {
    case 'created':
      return `created, life ${a} of its slot`;
    case 'destroyed':
      return 'asked to destroy it';
    case 'attached':
      return `attached as attachment ${a}`;
    case 'detached':
      return `detached attachment ${a}`;
    case 'mapped':
      return `mapped generation ${a}`;
    case 'unmapped':
      return `unmapped generation ${a}`;
    case 'writes':
      return `begins to write content ${a} into generation ${b}`;
    case 'wrote':
      return `has written content ${a}`;
    case 'gaveUp':
      return `gave up writing content ${a}`;
    case 'reads':
      return `begins to read content ${a} of generation ${b}`;
    case 'read':
      return `has read content ${a}`;
    case 'published':
      return `published fence ${a} to ${b === 1 ? 'write' : 'read'}`;
    case 'signalled':
      return `signalled fence ${a}`;
    case 'moves':
      return `asked for storage of generation ${a}`;
    case 'moved':
      return `was told that it has moved, generation ${a}`;
    case 'died':
      return `died while it was touching (content ${a})`;
    case 'waits':
      return 'waits for its fences and for a mapping';
    case 'violation':
      return 'found the violation';
    default:
      return `event ${kind}`;
  }
}
