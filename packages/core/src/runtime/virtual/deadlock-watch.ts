/**
 * Finds deadlocks among the generators of a virtual run.
 *
 * A deadlock stays until a time-out or a death ends it. So it is enough to look from time to time, and before either: none is
 * missed, and the waits themselves tell when it was closed. The run goes on: a time-out may resolve it.
 */
import { type ActorId, type Deadlock, findDeadlocks, type Wait, type WordPark } from '../../base/index.js';
import type { Incident } from '../supervision/index.js';
import type { WaitOwners } from '../wait-owners.js';
import type { Lives } from './lives.js';
import type { Running } from './running.js';
import type { VirtualActor } from './virtual-actor.js';
import type { VirtualWords } from './virtual-words.js';

/** More are not told of: whoever runs into one again and again has been told. */
const MAX_DEADLOCKS = 100;

export class DeadlockWatch {
  #found = 0;
  /** Those that were there at the last look. */
  #known = new Set<string>();
  /** In words. */
  present: readonly string[] = [];

  constructor(
    private readonly words: VirtualWords,
    private readonly owners: WaitOwners,
    private readonly lives: Lives,
  ) {}

  /** Whether a time-out ends a wait for somebody. */
  isEndedByTime({ waiting }: Running): boolean {
    return waiting?.kind === 'word' && this.#isAsleep(waiting) && this.owners.ownersOf(waiting).length > 0;
  }

  /** The deadlocks that there are now and were not at the last look. */
  look(nowNs: number): Incident[] {
    const deadlocks = this.#find(nowNs);
    const incidents: Incident[] = [];
    const known = new Set<string>();
    for (const deadlock of deadlocks) {
      const key = deadlock.waits.map(({ task, what }) => `${task.number} ${what}`).join();
      known.add(key);
      if (this.#known.has(key) || this.#found === MAX_DEADLOCKS) continue;
      this.#found += 1;
      incidents.push(incidentOf(deadlock));
    }
    this.#known = known;
    this.present = deadlocks.map(({ text }) => text);
    return incidents;
  }

  #find(nowNs: number): Deadlock<Running>[] {
    const byActor = new Map<ActorId, readonly Running[]>();
    const byNumber = new Map<number, Running>();
    // Who serves the others comes last: a deadlock is told from a device on.
    const actors = [...this.lives.all];
    for (const actor of [...actors.filter(isDevice), ...actors.filter((one) => !isDevice(one))]) {
      // The dead have heirs, and who is paused may go on later.
      if (actor.dead || actor.pausedUntilNs > nowNs) continue;
      const tasks = [...actor.running];
      byActor.set(actor.id, tasks);
      for (const task of tasks) byNumber.set(task.number, task);
    }
    const waitOf = (task: Running): Wait<Running> | undefined => {
      const { waiting, servedBy } = task;
      if (waiting?.kind === 'reply') {
        const server = byNumber.get(servedBy);
        return server && { what: waiting.what, awaited: [server] };
      }
      if (waiting?.kind !== 'word' || !this.#isAsleep(waiting)) return undefined;
      const awaited: Running[] = [];
      for (const { actor, generator } of this.owners.ownersOf(waiting)) {
        const all = byActor.get(actor) ?? [];
        const those = generator === undefined ? all : all.filter(({ number }) => number === generator);
        if (those.length === 0) return undefined; // dead, or it has ended and left this behind
        awaited.push(...those);
      }
      // Nobody ends a wait of its own, but where it is alone that is the deadlock.
      const others = awaited.filter((one) => one !== task);
      return { what: waiting.what, awaited: others.length > 0 ? others : awaited };
    };
    return findDeadlocks(byNumber.values(), { waitOf, nameOf, isSameActor });
  }

  /** A sleeper whose word has changed is about to be woken. */
  #isAsleep({ word, expected }: WordPark): boolean {
    return this.words.load(word) === expected;
  }
}

function nameOf({ actor, name }: Running): string {
  return name === 'main' ? actor.name : `${actor.name}/${name}`;
}

function isDevice({ serving }: VirtualActor): boolean {
  return !serving;
}

function isSameActor(one: Running, other: Running): boolean {
  return one.actor === other.actor;
}

function incidentOf({ waits, stuck, text }: Deadlock<Running>): Incident {
  let atNs = 0;
  for (const one of stuck) atNs = Math.max(atNs, one.waitingSinceNs);
  const { actor } = waits[0].task;
  return { kind: 'deadlock', actor: actor.name, atNs, life: actor.life, why: text };
}
