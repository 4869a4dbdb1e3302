/** One look at who waits for whom on threads. Why what it finds is no error: `park-words.ts`. */
import {
  type ActorId,
  type AtomicWords,
  type Deadlock,
  type Nanoseconds,
  WordPark,
  wordIndex,
} from '../../base/index.js';
import { deadlocksAmong, type WaitingTask } from '../deadlocks.js';
import type { WaitOwner, WaitOwners } from '../wait-owners.js';
import { type ActorState, hasRowless, NEVER, type ParkWords, RowKind, RowState, rowState } from './park-words.js';

const NS_PER_MS = 1_000_000;
const NOBODY: readonly WaitOwner[] = [];
/** What it is does not stand in a row. */
const ENDS_BY_ITSELF = { kind: 'time', what: 'what ends by itself' } as const;

/** An actor that is neither dead nor being ended. */
export interface WatchedActor {
  readonly id: ActorId;
  readonly name: string;
  /** Messages of the runtime that were posted to it in this life. */
  readonly posted: number;
  /** Whether others call it: a call on its way may start a generator. */
  readonly isCalled: boolean;
  /** What a number of its texts means; undefined as long as that has not come. */
  text(number: number): string | undefined;
}

/** A generator as a look has found it. */
export interface ParkedTask extends WaitingTask {
  readonly actor: WatchedActor;
  readonly row: number;
  readonly serial: number;
  /** Whether a time-out ends its wait. */
  readonly hasTimeOut: boolean;
  /** The numbers of the call that it waits for, and of the one that it serves; 0 = none. */
  readonly call: number;
  readonly serves: number;
}

/** All that one look has seen. */
export interface Sight {
  readonly deadlocks: readonly Deadlock<ParkedTask>[];
  /** The generators of all actors that deal with no message now. */
  readonly tasks: readonly ParkedTask[];
  /** Whether these are all generators that there are. */
  readonly isWhole: boolean;
}

/**
 * Looks on from the main thread, without a lock and without stopping anybody. What it has found may be over by the time it returns:
 * only what a second look finds with the same serials is a deadlock.
 */
export class DeadlockLook {
  /**
   * @param words the control memory of the run, whose words are waited for
   * @param owners who can end a wait, from the same words
   */
  constructor(
    private readonly words: AtomicWords,
    private readonly parks: ParkWords,
    readonly owners: WaitOwners,
  ) {}

  /**
   * Looks once.
   *
   * Context: main thread; never waits.
   *
   * @param actors those who serve the others last
   * @param nowNs model time: from their time-out on waits count as over
   */
  look(actors: readonly WatchedActor[], nowNs: Nanoseconds): Sight {
    const states = new Map<ActorId, ActorState>();
    const seen: Omit<ParkedTask, 'servedBy'>[] = [];
    for (const actor of actors) {
      const state = this.parks.state(actor.id);
      if (hasRowless(state) || state.received !== actor.posted) continue; // as if it were not there: it can go on
      states.set(actor.id, state);
      state.serials.forEach((serial, row) => {
        if (rowState(serial) !== RowState.Free) seen.push(this.#read(actor, row, serial, nowNs));
      });
    }
    const serverOf = new Map<number, number>();
    for (const { serves, number } of seen) {
      if (serves !== 0) serverOf.set(serves, serverOf.has(serves) ? 0 : number); // a number twice is nobody's
    }
    const tasks = seen.map((one): ParkedTask => ({ ...one, servedBy: serverOf.get(one.call) ?? 0 }));
    const whole = new Set<ActorId>();
    const called = new Set(actors.flatMap(({ id, isCalled }) => (isCalled ? [id] : [])));
    const ownersOf = (park: WordPark): readonly WaitOwner[] => {
      const owners = this.owners.ownersOf(park);
      const asWhole = owners.filter(({ generator }) => generator === undefined);
      if (asWhole.some(({ actor }) => called.has(actor))) return NOBODY;
      for (const { actor } of asWhole) whole.add(actor);
      return owners;
    };
    const found = deadlocksAmong(tasks, { ownersOf }, (park) => this.#isAsleep(park));
    const deadlocks = found.filter(({ stuck }) => this.isStill([...stuck], whole, states));
    return { deadlocks, tasks, isWhole: states.size === actors.length };
  }

  /** Whether what all of these wait for is still to come. Context: as `look`. @param tasks of a look that was made before */
  areAsleep(tasks: readonly ParkedTask[]): boolean {
    return tasks.every(({ waiting }) => waiting?.kind !== 'word' || this.#isAsleep(waiting));
  }

  #isAsleep({ word, expected }: WordPark): boolean {
    return this.words.load(word) === expected;
  }

  /** The second pass: whether all of these wait as they did, and nobody else has come where all of an actor are awaited. */
  protected isStill(
    stuck: readonly ParkedTask[],
    whole: ReadonlySet<ActorId>,
    states: ReadonlyMap<ActorId, ActorState>,
  ): boolean {
    const isParked = (task: ParkedTask): boolean => this.parks.serial(task.actor.id, task.row) === task.serial; // P2
    const actors = new Set(stuck.map(({ actor }) => actor.id));
    const isAlike = (id: ActorId): boolean => !whole.has(id) || isSame(states.get(id), this.parks.state(id));
    return stuck.every(isParked) && this.areAsleep(stuck) && [...actors].every(isAlike);
  }

  #read(actor: WatchedActor, row: number, serial: number, nowNs: Nanoseconds): Omit<ParkedTask, 'servedBy'> {
    const { number, name: nameNumber, serves } = this.parks.owner(actor.id, row);
    const { kind, what: whatNumber, word, expected, untilMs, call } = this.parks.contents(actor.id, row); // P2
    const name = actor.text(nameNumber);
    const what = actor.text(whatNumber);
    const hasTimeOut = kind === RowKind.Word && untilMs !== NEVER;
    const task = { actor, row, serial, number, name: name ?? '', serves, call: 0, hasTimeOut, waiting: undefined };
    const isDue = hasTimeOut && nowNs >= untilMs * NS_PER_MS;
    if (rowState(serial) !== RowState.Parked || isDue) return task;
    if (kind === RowKind.EndsByItself) return { ...task, waiting: ENDS_BY_ITSELF };
    if (name === undefined || what === undefined) return task;
    if (kind === RowKind.Reply) return { ...task, call, waiting: { kind: 'reply', what } };
    const untilNs = hasTimeOut ? untilMs * NS_PER_MS : Number.POSITIVE_INFINITY;
    return { ...task, waiting: new WordPark(wordIndex(word), expected, what, untilNs) };
  }
}

function isSame(one: ActorState | undefined, other: ActorState): boolean {
  return (
    one !== undefined &&
    one.received === other.received &&
    one.rowless === other.rowless &&
    one.serials.length === other.serials.length &&
    one.serials.every((serial, row) => serial === other.serials[row])
  );
}
