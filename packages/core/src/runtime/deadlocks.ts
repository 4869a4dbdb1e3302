/** Deadlocks among the generators of a run, by name: what is the same in both runtimes. */
import {
  type ActorId,
  type Deadlock,
  ErrnoError,
  findDeadlocks,
  type Nanoseconds,
  type Wait,
  type WordPark,
} from '../base/index.js';
import type { WaitOwners } from './wait-owners.js';

/** More are not told of: whoever runs into one again and again has been told. */
const MAX_DEADLOCKS = 100;

/** A generator with what it waits for. */
export interface WaitingTask {
  readonly actor: { readonly id: ActorId; readonly name: string };
  readonly name: string;
  /** No other generator of the run has the same. */
  readonly number: number;
  readonly waiting: WordPark | { readonly kind: 'time' | 'reply' | 'external'; readonly what: string } | undefined;
  /** The number of the generator that serves the call it waits for; 0 = none is known. */
  readonly servedBy: number;
}

/**
 * The deadlocks that there are among tasks.
 *
 * @param tasks all of the actors that count, those who serve the others last: a deadlock is told from a device on
 * @param isAsleep whether a word holds what a park expects: a sleeper whose word has changed is about to be woken
 */
export function deadlocksAmong<T extends WaitingTask>(
  tasks: Iterable<T>,
  owners: WaitOwners,
  isAsleep: (park: WordPark) => boolean,
): Deadlock<T>[] {
  const byActor = new Map<ActorId, T[]>();
  const byNumber = new Map<number, T>();
  for (const task of tasks) {
    const known = byActor.get(task.actor.id);
    if (known === undefined) byActor.set(task.actor.id, [task]);
    else known.push(task);
    byNumber.set(task.number, task);
  }
  const waitOf = (task: T): Wait<T> | undefined => {
    const { waiting, servedBy } = task;
    if (waiting?.kind === 'reply') {
      const server = byNumber.get(servedBy);
      return server && { what: waiting.what, awaited: [server] };
    }
    if (waiting?.kind !== 'word' || !isAsleep(waiting)) return undefined;
    const awaited: T[] = [];
    for (const { actor, generator } of owners.ownersOf(waiting)) {
      const all = byActor.get(actor) ?? [];
      const those = generator === undefined ? all : all.filter(({ number }) => number === generator);
      if (those.length === 0) return undefined; // dead, or it has ended and left this behind
      awaited.push(...those);
    }
    // Nobody ends a wait of its own, but where it is alone that is the deadlock.
    const others = awaited.filter((one) => one !== task);
    return { what: waiting.what, awaited: others.length > 0 ? others : awaited };
  };
  return findDeadlocks<T>(byNumber.values(), { waitOf, nameOf, isSameActor });
}

/** What a generator in a deadlock that was told of waits for, by the number of the generator. */
type ToldWaits = ReadonlyMap<number, string>;

/**
 * Which deadlocks are new. A deadlock is the same as long as the same generators wait for the same words, whatever these hold
 * and wherever its cycle is told from: a sleeper that is woken for nothing and waits again has not left it.
 */
export class DeadlockLog<T extends WaitingTask> {
  #count = 0;
  /** Those told of that nobody has been seen to leave. */
  #told: ToldWaits[] = [];

  /**
   * @param tasks all that the look has seen; who is not among them, or waits for nothing, may be back at once: only one that waits
   *   for something else has left its deadlock
   * @returns those that were not told of before, as long as not too many were
   */
  newAmong(deadlocks: readonly Deadlock<T>[], tasks: Iterable<T>): Deadlock<T>[] {
    if (deadlocks.length === 0 && this.#told.length === 0) return [];
    const waits = waitsOf(tasks);
    this.#told = this.#told.filter((told) => [...told].every(([number, wait]) => (waits.get(number) ?? wait) === wait));
    const news: Deadlock<T>[] = [];
    for (const deadlock of deadlocks) {
      const stuck = waitsOf(deadlock.stuck);
      const isKnown = this.#told.some((told) => [...told].every(([number, wait]) => stuck.get(number) === wait));
      if (isKnown || this.#count === MAX_DEADLOCKS) continue;
      this.#count += 1;
      this.#told.push(waitsOf(deadlock.waits.map(({ task }) => task)));
      news.push(deadlock);
    }
    return news;
  }
}

/** What tasks wait for, by their numbers; without those that wait for nothing. */
function waitsOf(tasks: Iterable<WaitingTask>): ToldWaits {
  const waits = new Map<number, string>();
  for (const { number, waiting } of tasks) {
    if (waiting !== undefined) waits.set(number, waiting.kind === 'word' ? `word ${waiting.word}` : waiting.what);
  }
  return waits;
}

/** What a run ends with when nobody can go on. @param waits who waits for what, in words */
export function everybodyWaits(nowNs: Nanoseconds, waits: readonly string[], deadlocks: readonly string[]): ErrnoError {
  const closed = deadlocks.length === 0 ? '' : `; deadlock: ${deadlocks.join('; ')}`;
  return new ErrnoError(
    'EDEADLK',
    'run',
    `The run cannot go on at ${nowNs} ns: everybody waits (${waits.join('; ')})${closed}`,
    { nowNs, waits, deadlocks },
  );
}

/**
 * A wait in words, with those who could end it: `camera for its frames to come back from encoder`.
 *
 * @param nameOfActor undefined for one that is no actor of the run
 */
export function describeWait(
  task: WaitingTask,
  owners: WaitOwners | undefined,
  nameOfActor: (id: ActorId) => string | undefined,
): string {
  const { waiting, actor } = task;
  const said = `${nameOf(task)} for ${waiting?.what}`;
  if (waiting?.kind !== 'word') return said;
  const others = (owners?.ownersOf(waiting) ?? []).filter((one) => one.actor !== actor.id);
  const names = new Set(others.flatMap((one) => nameOfActor(one.actor) ?? []));
  return names.size === 0 ? said : `${said} from ${[...names].join(' or ')}`;
}

/** `camera`, `camera/lane 1`. */
export function nameOf({ actor, name }: WaitingTask): string {
  return name === 'main' ? actor.name : `${actor.name}/${name}`;
}

function isSameActor(one: WaitingTask, other: WaitingTask): boolean {
  return one.actor === other.actor;
}
