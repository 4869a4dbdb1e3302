/**
 * Names the deadlocks of a run on threads: looks at each beat, and tells what two looks in a row have found unchanged.
 *
 * When all that is left of a run waits and nothing can end that, the run cannot go on; the virtual runtime says so too.
 */
import type { ActorId, AtomicWords, Deadlock, ErrnoError, Nanoseconds } from '../../base/index.js';
import type { ActorSpec } from '../actor.js';
import { DeadlockLog, describeWait, everybodyWaits } from '../deadlocks.js';
import { RuntimeWords } from '../runtime-words.js';
import type { Incident } from '../supervision/index.js';
import type { WaitOwners } from '../wait-owners.js';
import type { ActorWorker } from './actor-worker.js';
import { DeadlockLook, type ParkedTask, type Sight, type WatchedActor } from './deadlock-look.js';
import { ParkWords } from './park-words.js';

/**
 * For how many beats nobody must have gone on where no deadlock is named. Only such count in which every thread has served its events:
 * a wake-up without a change of the word, as for a place in a ring that is given back, may be on its way to one that is not scheduled.
 */
const RESTING_BEATS = 4;

/** What a beat has found. */
export interface DeadlockNews {
  readonly incidents: readonly Incident[];
  /** Set when nobody can go on any more, as far as the actors are concerned. */
  readonly end: ErrnoError | undefined;
}

/** What is looked at of a worker. */
export type BeatenWorker = Pick<
  ActorWorker,
  'spec' | 'name' | 'life' | 'isDead' | 'ending' | 'isReady' | 'isServing' | 'posted' | 'texts'
>;

export class ThreadDeadlocks {
  readonly #parks: ParkWords;
  readonly #look: DeadlockLook;
  readonly #log = new DeadlockLog<ParkedTask>();
  readonly #called: ReadonlySet<string>;
  readonly #names: ReadonlyMap<ActorId, string>;
  /** Those of the last look, by who waits since when: one that has been left and closed again in between does not last. */
  #last = new Set<string>();
  #lastAtRest = '';
  /** Beats for which nobody has gone on, and those of the workers at the last of them. */
  #restingBeats = 0;
  #beats: readonly number[] = [];
  readonly #runtimeWords: RuntimeWords;
  /** The generators of the last look. */
  #tasks: readonly ParkedTask[] = [];
  /** Actors of which one went on by itself, at the last looks: a look passes over those that deal with a message. */
  #goingOn: readonly ReadonlySet<string>[] = [];

  /** @param memory that of `ParkWords` */
  constructor(words: AtomicWords, memory: AtomicWords, owners: WaitOwners, actors: readonly ActorSpec[]) {
    this.#parks = new ParkWords(memory);
    this.#look = new DeadlockLook(words, this.#parks, owners);
    this.#runtimeWords = new RuntimeWords(words);
    this.#called = new Set(actors.flatMap(({ calls }) => calls));
    this.#names = new Map(actors.map(({ id, name }) => [id, name]));
  }

  /** The next life of an actor is about to start; the one before can touch no word any more. */
  reset({ id }: ActorSpec): void {
    this.#parks.reset(id);
  }

  /** Looks. @param workers the present lives of all actors, the dead among them */
  beat(workers: Iterable<BeatenWorker>, nowNs: Nanoseconds): DeadlockNews {
    const all = [...workers].filter(({ isDead }) => !isDead);
    const living = all.filter(({ ending }) => ending === undefined);
    // Who serves the others comes last: a deadlock is told from a device on.
    const actors = [...living.filter(({ isServing }) => !isServing), ...living.filter(({ isServing }) => isServing)];
    const sight = this.#look.look(
      actors.map((worker) => this.#watched(worker)),
      nowNs,
    );
    this.#tasks = sight.tasks;
    const goOn = sight.tasks.filter((task) => !waitsForOthers(task));
    this.#goingOn = [...this.#goingOn, new Set(goOn.map(({ actor }) => actor.name))].slice(-RESTING_BEATS);
    const found = new Map(sight.deadlocks.map((one) => [keyOf(one.stuck), one]));
    const lasting = [...found].flatMap(([key, one]) => (this.#last.has(key) ? [one] : []));
    this.#last = new Set(found.keys());
    const lives = new Map(living.map(({ name, life }) => [name, life]));
    const incidents = this.#log.newAmong(lasting, sight.tasks).map((one) => incidentOf(one, lives, nowNs));
    // One that is setting up, again perhaps, has no generator yet, and a deadline of its own.
    const isComplete = living.length === all.length && sight.isWhole && living.every(({ isReady }) => isReady);
    return { incidents, end: this.#endOf(sight, lasting, isComplete ? living : undefined, nowNs) };
  }

  /** What the generators of an actor waited for at the last look, in words; of one that waits for no word and no reply nothing is known. */
  waitsOf(name: string): string[] {
    const waiting = this.#tasks.filter(({ actor, waiting: park }) => actor.name === name && park !== undefined);
    return waiting.map((task) => this.#describe(task));
  }

  /** Whether at none of the last looks a generator of an actor went on by itself. */
  isHeldUp(name: string): boolean {
    return !this.#goingOn.some((names) => names.has(name));
  }

  #describe(task: ParkedTask): string {
    return describeWait(task, this.#look.owners, (id) => this.#names.get(id));
  }

  /**
   * When all generators have waited since the last look, for words that are as they were, without a time-out: nobody can go on,
   * whether they wait for each other or for what nobody will bring, such as a frame that a driver has kept.
   */
  #endOf(
    { tasks }: Sight,
    lasting: readonly Deadlock<ParkedTask>[],
    living: readonly BeatenWorker[] | undefined,
    nowNs: Nanoseconds,
  ): ErrnoError | undefined {
    const waits = (task: ParkedTask): boolean =>
      waitsForOthers(task) && (task.waiting?.kind !== 'reply' || task.servedBy !== 0);
    // Those who serve wait for calls, and for the end of the others.
    const others = tasks.filter(({ actor }) => !actor.isCalled);
    if (living === undefined) {
      this.#lastAtRest = '';
      return undefined;
    }
    const isAtRest = others.length > 0 && tasks.every(waits) && this.#look.areAsleep(tasks);
    const atRest = isAtRest ? keyOf(tasks) : '';
    const beats = living.map(({ spec }) => this.#runtimeWords.beats(spec.id));
    if (atRest === '' || atRest !== this.#lastAtRest || beats.length !== this.#beats.length) {
      this.#restingBeats = 0;
      this.#beats = beats;
    } else if (beats.every((beat, i) => beat !== this.#beats[i])) {
      this.#restingBeats += 1;
      this.#beats = beats;
    }
    this.#lastAtRest = atRest;
    if (this.#restingBeats < (lasting.length > 0 ? 1 : RESTING_BEATS)) return undefined;
    const described = others.map((task) => this.#describe(task));
    return everybodyWaits(
      nowNs,
      described,
      lasting.map(({ text }) => text),
    );
  }

  #watched({ spec, posted, texts }: BeatenWorker): WatchedActor {
    const { id, name } = spec;
    return { id, name, posted, isCalled: this.#called.has(name), text: (number) => texts.get(number) };
  }
}

/** Whether somebody else has to do something before it goes on. */
function waitsForOthers({ waiting, hasTimeOut }: ParkedTask): boolean {
  return (waiting?.kind === 'word' && !hasTimeOut) || waiting?.kind === 'reply';
}

function keyOf(tasks: Iterable<ParkedTask>): string {
  return Array.from(tasks, ({ number, serial }) => `${number} ${serial}`).join();
}

function incidentOf(
  { waits, text }: Deadlock<ParkedTask>,
  lives: ReadonlyMap<string, number>,
  atNs: Nanoseconds,
): Incident {
  const { name } = waits[0].task.actor;
  return { kind: 'deadlock', actor: name, atNs, life: lives.get(name) ?? 0, why: text };
}
