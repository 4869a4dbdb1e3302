import { assert, TraceLog } from '../../base/index.js';
import { type ActorOutcome, type ActorProgram, type ActorSpec, loadProgram, type RunSpec } from '../actor.js';
import type { VirtualActor } from './virtual-actor.js';

/** The actors of a run: the present life of each, those that have ended, and what the next is made of. */
export class Lives {
  readonly #actors = new Map<string, VirtualActor>();
  readonly #programs = new Map<string, ActorProgram>();
  /** Traces of lives that have ended, by actor. Each is bounded as that of one life is. */
  readonly #past = new Map<string, TraceLog>();

  constructor(
    private readonly spec: RunSpec,
    private readonly make: (spec: ActorSpec, life: number) => VirtualActor,
  ) {}

  /** Loads the programs of all actors, then begins their first lives. */
  async begin(): Promise<void> {
    const programs = await Promise.all(this.spec.actors.map(loadProgram));
    for (const [i, actor] of this.spec.actors.entries()) {
      this.#actors.set(actor.name, this.make(actor, 0));
      this.#programs.set(actor.name, programs[i]);
    }
    for (const [i, actor] of [...this.#actors.values()].entries()) actor.begin(programs[i]);
  }

  /** Begins the next life of a dead actor. */
  beginNext(name: string): VirtualActor {
    const past = this.#actors.get(name);
    const spec = this.spec.actors.find((one) => one.name === name);
    const program = this.#programs.get(name);
    assert(past?.dead === true && spec !== undefined && program !== undefined, `${name} is a dead actor of this run`);
    this.#keepTrace(past);
    const actor = this.make(spec, past.life + 1);
    this.#actors.set(name, actor);
    actor.begin(program);
    return actor;
  }

  /** The present life of an actor. */
  get(name: string): VirtualActor | undefined {
    return this.#actors.get(name);
  }

  get all(): Iterable<VirtualActor> {
    return this.#actors.values();
  }

  /** What the actors left behind: the report of the last life, the traces of all. */
  outcomes(): ActorOutcome[] {
    return [...this.#actors.values()].map((actor) => {
      const { name, report, trace } = actor.outcome();
      return { name, report, trace: [...(this.#past.get(name)?.report() ?? []), ...trace] };
    });
  }

  #keepTrace(past: VirtualActor): void {
    const { events, dropped } = past.trace;
    if (events.length === 0 && dropped === 0) return;
    const log = this.#past.get(past.name) ?? new TraceLog(true, this.spec.traceCapacity);
    this.#past.set(past.name, log);
    for (const event of events) log.add(event);
    log.dropped += dropped;
  }
}
