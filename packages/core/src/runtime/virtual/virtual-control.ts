import { actorId, isErrno, type Nanoseconds, type Task } from '../../base/index.js';
import { PEER_DIED, type PeerDeath } from '../actor.js';
import type { ActorControl, DeathCause } from '../supervision/index.js';
import type { VirtualActor } from './virtual-actor.js';
import type { VirtualRuntime } from './virtual-runtime.js';

/** What the supervisor does to actors, in the virtual runtime: all of it at one instant. */
export class VirtualControl implements ActorControl {
  #self: VirtualActor | undefined;

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

  end(name: string, cause: DeathCause): void {
    this.runtime.end(name, cause);
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
    const others = [...this.runtime.actors].filter((other) => !other.dead && other.serves(PEER_DIED));
    let waiting = others.filter((other) => other.reclaims).length;
    if (dead === undefined || waiting === 0) done();
    if (dead === undefined) return;
    const death: PeerDeath = { actor: dead.id, name, deaths: dead.life + 1, returns };
    for (const other of others) {
      const settled = (): void => {
        if (!other.reclaims) return;
        waiting -= 1;
        if (waiting === 0) done();
      };
      other.answer(PEER_DIED, death, name, settled, (error) => {
        // Whoever dies while it reclaims leaves the rest to its next life.
        if (!isErrno(error, 'ENODEV')) this.runtime.fail(error);
        settled();
      });
    }
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
