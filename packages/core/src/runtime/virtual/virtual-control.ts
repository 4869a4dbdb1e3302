import { actorId, isErrno, type Nanoseconds, type Task } from '../../base/index.js';
import { PEER_DIED, type PeerDeath } from '../actor.js';
import type { ActorControl, DeathCause } from '../supervision/index.js';
import type { VirtualActor } from './virtual-actor.js';
import type { VirtualRuntime } from './virtual-runtime.js';

/** A death, and who has still to clean up after it. */
interface Reclaim {
  readonly death: PeerDeath;
  readonly waiting: Set<string>;
  readonly done: () => void;
}

/** What the supervisor does to actors, in the virtual runtime: all of it at one instant. */
export class VirtualControl implements ActorControl {
  #self: VirtualActor | undefined;
  readonly #reclaims = new Set<Reclaim>();

  constructor(private readonly runtime: VirtualRuntime) {}

  now(): Nanoseconds {
    return this.runtime.now;
  }

  spawn(name: string, task: Task<void>): void {
    this.runtime.start(this.#actor, name, task, false);
  }

  hold(): () => void {
    let held = true;
    this.runtime.hold(1);
    return () => {
      if (held) this.runtime.hold(-1);
      held = false;
    };
  }

  untilScenarioTime(timeNs: Nanoseconds): Task<boolean> {
    return this.#actor.untilScenarioTime(timeNs);
  }

  isRunning(name: string): boolean {
    const actor = this.runtime.actor(name);
    return actor !== undefined && !actor.dead && (actor.alive > 0 || actor.serving);
  }

  life(name: string): number {
    const actor = this.runtime.actor(name);
    return actor === undefined ? 0 : actor.life + (actor.dead ? 1 : 0);
  }

  end(name: string, cause: DeathCause, why?: string): void {
    this.runtime.end(name, cause, why);
  }

  pause(name: string, untilNs: Nanoseconds): void {
    const actor = this.runtime.actor(name);
    if (actor === undefined) return;
    if (actor.pausedUntilNs <= this.runtime.now) actor.pausedSinceNs = this.runtime.now;
    actor.pausedUntilNs = Math.max(actor.pausedUntilNs, untilNs);
  }

  silentSinceNs(name: string): Nanoseconds | undefined {
    const actor = this.runtime.actor(name);
    if (actor === undefined || actor.pausedUntilNs <= this.runtime.now) return undefined;
    return actor.pausedSinceNs;
  }

  reclaim(name: string, returns: boolean, done: () => void): void {
    const dead = this.runtime.actor(name);
    if (dead === undefined) {
      done();
      return;
    }
    if (!returns) this.runtime.isGone(name);
    const death: PeerDeath = { actor: dead.id, name, deaths: dead.life + 1, returns };
    const others = [...this.runtime.actors].filter((other) => other !== dead);
    // One that resumes is waited for, dead or alive; of the others only those that live know what to do.
    const isThere = (other: VirtualActor): boolean => !other.dead && (other.resumes || other.serves(PEER_DIED));
    const waiting = new Set(others.filter((one) => one.reclaims && (one.resumes || isThere(one))).map(nameOf));
    const reclaim: Reclaim = { death, waiting, done };
    this.#reclaims.add(reclaim);
    for (const other of others) if (isThere(other)) this.#tell(other, reclaim);
    // Nobody waits any more for one that is dead for good, nor for the dead itself.
    for (const one of returns ? [reclaim] : [...this.#reclaims]) this.#settle(one, name);
  }

  /** Tells a new life of the deaths that the one before was to clean up after. */
  remind(actor: VirtualActor): void {
    for (const reclaim of this.#reclaims) if (reclaim.waiting.has(actor.name)) this.#tell(actor, reclaim);
  }

  #tell(other: VirtualActor, reclaim: Reclaim): void {
    const { death } = reclaim;
    const settled = (): void => this.#settle(reclaim, other.name);
    const reject = (error: Error): void => {
      // Whoever dies while it reclaims leaves the rest to its next life.
      if (!isErrno(error, 'ENODEV')) this.runtime.fail(error);
      if (!other.resumes) settled();
    };
    other.answer(PEER_DIED, death, death.name, { resolve: settled, reject });
  }

  #settle(reclaim: Reclaim, name: string): void {
    reclaim.waiting.delete(name);
    if (reclaim.waiting.size === 0 && this.#reclaims.delete(reclaim)) reclaim.done();
  }

  start(name: string): void {
    this.runtime.startAgain(name);
  }

  fail(error: Error): void {
    this.runtime.fail(error);
  }

  get #actor(): VirtualActor {
    this.#self ??= this.runtime.extraActor({
      name: 'supervisor',
      id: actorId(0),
      module: '',
      calls: [],
      data: undefined,
    });
    return this.#self;
  }
}

const nameOf = ({ name }: VirtualActor): string => name;
