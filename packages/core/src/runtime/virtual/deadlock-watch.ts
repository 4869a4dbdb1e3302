/**
 * Finds deadlocks among the generators of a virtual run.
 *
 * A deadlock stays until a time-out or a death ends it. So it is enough to look from time to time, and before either: none is
 * missed, and the waits themselves tell when it was closed. The run goes on: a time-out may resolve it.
 */
import type { Deadlock, WordPark } from '../../base/index.js';
import { DeadlockLog, deadlocksAmong } from '../deadlocks.js';
import type { Incident } from '../supervision/index.js';
import type { WaitOwners } from '../wait-owners.js';
import type { Lives } from './lives.js';
import type { Running } from './running.js';
import type { VirtualActor } from './virtual-actor.js';
import type { VirtualWords } from './virtual-words.js';

export class DeadlockWatch {
  readonly #log = new DeadlockLog<Running>();
  /** In words. */
  present: readonly string[] = [];

  constructor(
    private readonly words: VirtualWords,
    readonly owners: WaitOwners,
    private readonly lives: Lives,
  ) {}

  /** Whether a time-out ends a wait for somebody. */
  isEndedByTime({ waiting }: Running): boolean {
    return waiting?.kind === 'word' && this.#isAsleep(waiting) && this.owners.ownersOf(waiting).length > 0;
  }

  /** The deadlocks that there are now and were not told of. */
  look(nowNs: number): Incident[] {
    const tasks = this.#tasks(nowNs);
    const deadlocks = deadlocksAmong(tasks, this.owners, (park) => this.#isAsleep(park));
    this.present = deadlocks.map(({ text }) => text);
    return this.#log.newAmong(deadlocks, tasks).map(incidentOf);
  }

  #tasks(nowNs: number): Running[] {
    const actors = [...this.lives.all];
    return [...actors.filter(isDevice), ...actors.filter((one) => !isDevice(one))].flatMap((actor) => {
      // The dead have heirs, and who is paused may go on later.
      return actor.dead || actor.pausedUntilNs > nowNs ? [] : [...actor.running];
    });
  }

  #isAsleep({ word, expected }: WordPark): boolean {
    return this.words.load(word) === expected;
  }
}

function isDevice({ serving }: VirtualActor): boolean {
  return !serving;
}

function incidentOf({ waits, stuck, text }: Deadlock<Running>): Incident {
  let atNs = 0;
  for (const one of stuck) atNs = Math.max(atNs, one.waitingSinceNs);
  const { actor } = waits[0].task;
  return { kind: 'deadlock', actor: actor.name, atNs, life: actor.life, why: text };
}
