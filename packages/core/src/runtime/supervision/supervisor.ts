/**
 * The supervisor: does the faults of a run, notices who is late or hung, and sees to it that whoever dies is cleaned up
 * after and, where that is wanted, comes back. The same for both runtimes, which offer `ActorControl`.
 *
 * A death is definite: an actor counts as dead only once its runtime says that it will never be stepped again. What is
 * late is reported and left alone; what is hung is ended first, and then dead like any other.
 */
import { ErrnoError, type Nanoseconds, sleepUntil, type Task } from '../../base/index.js';
import { DEFAULT_SUPERVISION, type DeathCause, type Fault, type Incident, type Supervision } from './faults.js';
import { IncidentLog } from './incident-log.js';
import { RestartPolicy } from './restart-policy.js';

/** What a runtime can do to its actors. */
export interface ActorControl {
  now(): Nanoseconds;
  /** Runs a task of the supervisor. */
  spawn(name: string, task: Task<void>): void;
  /** Keeps the run from ending until the function that it returns is called. */
  hold(): () => void;
  /** Waits for an instant of the scenario; false when the run is to stop before. */
  untilScenarioTime(timeNs: Nanoseconds): Task<boolean>;
  /** Whether it is there and has not ended by itself. */
  isRunning(actor: string): boolean;
  /** How often it has died. */
  life(actor: string): number;
  /** Ends it. `Supervisor.onDeath` is called once it is definitely dead, at once or later. */
  end(actor: string, cause: DeathCause, why?: string): void;
  /** Keeps it from being stepped until a time. */
  pause(actor: string, untilNs: Nanoseconds): void;
  /** Since when it has done nothing although it could; undefined when it answers. */
  silentSinceNs(actor: string): Nanoseconds | undefined;
  /**
   * Tells the others of a death, and calls back when those who reclaim have taken back all it held.
   *
   * @param returnsAtNs scenario time of the event that starts it again; absent = no event does
   */
  reclaim(actor: string, returns: boolean, done: () => void, returnsAtNs?: Nanoseconds): void;
  /** Starts the next life of a dead actor. */
  start(actor: string): void;
  /** Ends the run. */
  fail(error: Error): void;
}

/** Actors that come back together. */
interface Comeback {
  readonly actors: readonly string[];
  /** Whether the back-off is over. */
  isDue: boolean;
  readonly release: () => void;
}

export class Supervisor {
  readonly #log = new IncidentLog();
  readonly #policy: RestartPolicy | undefined;
  /** Of those that are started again alone; their restarts are counted apart. */
  readonly #ownPolicies = new Map<string, RestartPolicy>();
  readonly #supervision: Supervision;
  /** Dead, and what is to become of them. */
  readonly #dead = new Map<string, { reclaimed: boolean; readonly atNs: Nanoseconds }>();
  readonly #comebacks = new Set<Comeback>();
  /** Dead, and to be started by an event that is still to come: the run does not end before. */
  readonly #awaited = new Map<string, () => void>();
  /** To be started again by an event, whatever the policy says. */
  readonly #recalled = new Set<string>();
  /** Ended for the sake of another, which decides about them too. */
  readonly #stopping = new Set<string>();
  readonly #silent = new Set<string>();
  /** Whose time has not come. */
  readonly #toCome: Set<Fault>;
  /** Ended by the deadline after the scenario: they do not come back. */
  readonly #overdue = new Set<string>();
  #gaveUp = false;

  /**
   * @param actors those that may die, in start order
   * @param resuming others that are started again alone, and never ended for the sake of one of `actors`
   */
  constructor(
    private readonly control: ActorControl,
    private readonly actors: readonly string[],
    private readonly faults: readonly Fault[],
    supervision: Supervision | undefined,
    private readonly resuming: readonly string[] = [],
  ) {
    this.#supervision = supervision ?? DEFAULT_SUPERVISION;
    this.#toCome = new Set(faults);
    const { restart } = this.#supervision;
    if (restart === undefined) return;
    this.#policy = new RestartPolicy(restart, actors);
    for (const actor of resuming) {
      this.#ownPolicies.set(actor, new RestartPolicy({ ...restart, strategy: 'one-for-one' }, [actor]));
    }
  }

  /** Whether an actor that throws is dead, and not the end of the run. */
  get toleratesFailures(): boolean {
    return (this.#policy !== undefined || this.#supervision.toleratesFailures === true) && !this.#gaveUp;
  }

  /** How many of the dead an event is still to start again: so many holds of the run wait for scenario time alone. */
  get awaited(): number {
    return this.#awaited.size;
  }

  /** Whether the scenario is still to do something to an actor. */
  get hasMoreToCome(): boolean {
    return this.#toCome.size > 0;
  }

  /** Starts what the scenario does to its actors. Called at the start of model time. */
  begin(): void {
    for (const fault of this.faults) this.control.spawn(`${fault.kind} ${fault.actor}`, this.#perform(fault));
  }

  *#perform(fault: Fault): Task<void> {
    const isTime = yield* this.control.untilScenarioTime(fault.atNs);
    this.#toCome.delete(fault);
    // In a run that is to stop, a life that begins ends at once; those who wait for its streams could not end without it.
    const isMissed = fault.kind === 'restart' && this.#dead.has(fault.actor);
    if (isTime || isMissed) this.inflict(fault);
  }

  /** Does something to an actor now. What cannot be done to it any more is not done. */
  inflict(fault: Fault): void {
    const { actor, kind } = fault;
    if (kind === 'restart') this.#recall(actor);
    else if (!this.control.isRunning(actor)) return;
    else if (kind === 'kill') this.control.end(actor, 'killed');
    else {
      const untilNs = kind === 'hang' ? Number.POSITIVE_INFINITY : this.control.now() + fault.forNs;
      this.control.pause(actor, untilNs);
      this.control.spawn(`watch ${actor}`, this.#watchSilence(actor));
    }
  }

  /** The scenario has been over for long, and an actor has not ended: it is ended, for good. @param why what it waits for */
  endOverdue(actor: string, why: string): void {
    this.#overdue.add(actor);
    this.control.end(actor, 'overdue', why);
  }

  /** Whether somebody is to come back after a back-off, or does nothing and is watched until it does or is ended. */
  get isBusy(): boolean {
    return this.#comebacks.size > 0 || this.#silent.size > 0;
  }

  /** What has happened, in order of time; of very many not all (`IncidentLog`). */
  get incidents(): readonly Incident[] {
    return this.#log.incidents;
  }

  /** Incidents that are not kept. */
  get incidentsDropped(): number {
    return this.#log.dropped;
  }

  /** Puts what the runtime has found among the incidents, at its time. */
  note(incident: Incident): void {
    this.#log.add(incident);
  }

  /** An actor is definitely dead. */
  onDeath(actor: string, cause: DeathCause, why?: string): void {
    const atNs = this.control.now();
    const life = this.control.life(actor) - 1;
    this.#log.add({ kind: 'died', actor, atNs, life, cause, ...(why !== undefined && { why }) });
    this.#dead.set(actor, { reclaimed: false, atNs });
    this.#silent.delete(actor);
    const stopped = this.#stopping.delete(actor);
    const isRecalled = this.#recalled.has(actor);
    const mayReturn = this.toleratesFailures && !stopped && !isRecalled && !this.#overdue.has(actor);
    const restarts = mayReturn && this.#decide(actor, atNs, why ?? cause);
    const returnsAtNs = this.#returnsAt(actor);
    const isAwaited = returnsAtNs !== undefined;
    const returns = stopped || restarts || isRecalled || isAwaited;
    if (isAwaited && !this.#awaited.has(actor)) this.#awaited.set(actor, this.control.hold());
    const release = this.control.hold();
    const reclaimed = (): void => {
      this.#onReclaimed(actor, life, atNs);
      release();
    };
    const awaitedNs = stopped || restarts || isRecalled ? undefined : returnsAtNs;
    this.control.reclaim(actor, returns && !this.#gaveUp, reclaimed, awaitedNs);
  }

  /** @returns whether it comes back */
  #decide(actor: string, nowNs: Nanoseconds, cause: string): boolean {
    const living = new Set(this.actors.filter((one) => one !== actor && this.control.isRunning(one)));
    const policy = this.actors.includes(actor) ? this.#policy : this.#ownPolicies.get(actor);
    const decision = policy?.onDeath(actor, nowNs, living);
    if (decision === undefined) return false;
    if (decision.action === 'give up') {
      this.#giveUp(actor, `${decision.why}; the last time: ${cause}`, decision.stop);
      return false;
    }
    for (const other of decision.stop) this.#stopping.add(other);
    const comeback: Comeback = { actors: decision.start, isDue: false, release: this.control.hold() };
    this.#comebacks.add(comeback);
    this.control.spawn(`restart ${actor}`, this.#backOff(comeback, nowNs + decision.afterNs));
    for (const other of decision.stop) this.control.end(other, 'stopped');
    return true;
  }

  *#backOff(comeback: Comeback, untilNs: Nanoseconds): Task<void> {
    yield* sleepUntil(untilNs, 'the back-off of a restart');
    comeback.isDue = true;
    this.#startIfReady(comeback);
  }

  /** Starts actors in order, once the back-off is over and all of them are dead and cleaned up after. */
  #startIfReady(comeback: Comeback): void {
    // One that an event has started meanwhile is not dead any more.
    const isReady = (actor: string): boolean =>
      this.#dead.get(actor)?.reclaimed !== false && !this.#stopping.has(actor);
    if (!comeback.isDue || !comeback.actors.every(isReady)) return;
    this.#comebacks.delete(comeback);
    for (const actor of comeback.actors) this.#start(actor);
    comeback.release();
  }

  #recall(actor: string): void {
    if (this.#dead.get(actor)?.reclaimed === true) this.#start(actor);
    else {
      this.#recalled.add(actor);
      if (this.control.isRunning(actor)) this.control.end(actor, 'killed');
    }
  }

  #onReclaimed(actor: string, life: number, diedNs: Nanoseconds): void {
    const dead = this.#dead.get(actor);
    if (dead === undefined || dead.reclaimed) return;
    dead.reclaimed = true;
    const atNs = this.control.now();
    this.#log.add({ kind: 'reclaimed', actor, atNs, life, tookNs: atNs - diedNs });
    if (this.#recalled.delete(actor)) this.#start(actor);
    for (const comeback of [...this.#comebacks]) this.#startIfReady(comeback);
  }

  #start(actor: string): void {
    if (!this.#dead.delete(actor)) return;
    const release = this.#awaited.get(actor);
    this.#awaited.delete(actor);
    this.#log.add({ kind: 'restarted', actor, atNs: this.control.now(), life: this.control.life(actor) });
    this.control.start(actor);
    release?.();
  }

  #giveUp(actor: string, why: string, stop: readonly string[]): void {
    this.#gaveUp = true;
    for (const comeback of this.#comebacks) comeback.release();
    this.#comebacks.clear();
    for (const release of this.#awaited.values()) release();
    this.#awaited.clear();
    const life = this.control.life(actor) - 1;
    this.#log.add({ kind: 'gave-up', actor, atNs: this.control.now(), life, why });
    for (const other of stop) this.control.end(other, 'stopped');
    this.control.fail(new ErrnoError('EOWNERDEAD', 'supervise', `The supervisor gives up: ${why}`, { actor }));
  }

  /** Reports an actor that does nothing, and ends it once it has done nothing for too long. */
  *#watchSilence(actor: string): Task<void> {
    const { lateNs } = this.#supervision;
    // One whose end nobody survives, such as an exporter that is not to be restarted, is reported and left alone.
    const mayEnd = this.actors.includes(actor) || this.resuming.includes(actor);
    const hungNs = mayEnd ? this.#supervision.hungNs : Number.POSITIVE_INFINITY;
    const life = this.control.life(actor);
    if (this.#silent.has(actor)) return;
    this.#silent.add(actor);
    for (;;) {
      const nowNs = this.control.now();
      const sinceNs = this.control.silentSinceNs(actor);
      if (sinceNs === undefined || !this.control.isRunning(actor) || this.control.life(actor) !== life) break;
      if (nowNs - sinceNs >= hungNs) {
        this.#silent.delete(actor);
        this.control.end(actor, 'hung');
        return;
      }
      const isLate = nowNs - sinceNs >= lateNs;
      if (isLate && !this.#isReportedLate(actor, life, sinceNs)) {
        this.#log.add({ kind: 'late', actor, atNs: nowNs, life, sinceNs });
      }
      const nextNs = isLate ? hungNs : Math.min(lateNs, hungNs);
      if (nextNs === Number.POSITIVE_INFINITY) break;
      yield* sleepUntil(sinceNs + nextNs, `a sign of ${actor}`);
    }
    this.#silent.delete(actor);
  }

  /** Looks at an actor that may have fallen silent without a fault: for a runtime that learns of it by itself. */
  suspect(actor: string): void {
    if (!this.#silent.has(actor)) this.control.spawn(`watch ${actor}`, this.#watchSilence(actor));
  }

  #isReportedLate(actor: string, life: number, sinceNs: Nanoseconds): boolean {
    return this.incidents.some(
      (one) => one.kind === 'late' && one.actor === actor && one.life === life && one.atNs >= sinceNs,
    );
  }

  /** When the next event that starts an actor is to come; undefined when none is. */
  #returnsAt(actor: string): Nanoseconds | undefined {
    const times = [...this.#toCome].filter((one) => one.kind === 'restart' && one.actor === actor);
    return times.length === 0 ? undefined : Math.min(...times.map(({ atNs }) => atNs));
  }
}
