/** Runs the actors of a board through one schedule. */
import type { Park, Task, WordPark } from '@dmabuf-lab/core/base';
import { type ActorMaker, AnyPark, type Board, type Failure, type Outcome } from './board.js';
import { type ExploredWords, type Gate, OUT_OF_TURN } from './explored-words.js';
import type { Schedule, Segment } from './schedule.js';
import { type ChoicePoint, has, type Strategy } from './strategy.js';
import { MOST_ACTORS, PageRace } from './vector-clocks.js';

/** Steps after which a schedule counts as endless. */
const MOST_STEPS = 1_000;

interface Actor {
  readonly name: string;
  readonly make: ActorMaker;
  readonly log: number[];
  /** Alive while it waits; an actor that was stopped before an operation is made anew. */
  task: Task<unknown> | undefined;
  /** What it was about to go to sleep on when its turn ended. */
  pending: Park | undefined;
  /** What it sleeps on. */
  asleep: WordPark | undefined;
  /** What its last park is resumed with: false after a time-out. */
  woken: boolean;
  state: 'alive' | 'done' | 'dead';
}

class Run implements Gate, ChoicePoint {
  readonly actors: Actor[] = [];
  readonly segments: { actor: number; steps: number; crash?: boolean }[] = [];
  current = -1;
  awake = 0;
  late = 0;
  mortal = 0;
  mayPreempt = false;
  steps = 0;
  readonly dead: number[] = [];
  readonly #words: ExploredWords;
  #next = -1;
  #isNewSegment = true;
  #sleepers = 0;
  #crashesLeft: number;
  /** By reclaimer: the dead actor that it takes care of. */
  readonly #reclaimers: number[] = [];
  #reclaiming = 0;
  /** The reclaimer that is between two waits: they are tasks of one actor, so no other runs meanwhile. */
  #busy = -1;
  /** All that can go on, those included that a busy reclaimer keeps from it. */
  #ready = 0;
  /** Actors that stand before an operation while others run on top of their stacks. */
  #below = 0;
  #thrown: { readonly error: unknown } | undefined;

  constructor(
    private readonly board: Board,
    private readonly strategy: Strategy,
    crashes: number,
  ) {
    this.#words = board.words;
    this.#crashesLeft = crashes;
    this.#words.rewind(this);
    const makers = board.begin();
    for (const name in makers) this.#add(name, makers[name]);
    if (crashes > 0) {
      for (const name of board.mortal ?? []) this.mortal |= 1 << this.actors.findIndex((one) => one.name === name);
    }
  }

  /** @throws whatever an actor throws */
  toTheEnd(): Failure | undefined {
    this.#decide(true);
    this.#runUntilBelow();
    if (this.#thrown !== undefined) throw this.#thrown.error;
    if (this.steps > MOST_STEPS) return { kind: 'endless', message: `no end after ${MOST_STEPS} steps` };
    const waiting = this.actors.filter(({ state }) => state === 'alive');
    if (waiting.length === 0) return undefined;
    const message = waiting.map(({ name, asleep }) => `${name} waits for ${asleep?.what}`).join('; ');
    return { kind: 'stuck', message };
  }

  // ---- the gate ----

  goesOn(word: number): boolean {
    const actor = this.current;
    return this.#decide(this.#words.isContended(word)) === actor || this.#othersRunFirst(actor);
  }

  notified(word: number): void {
    if (this.#sleepers === 0) return;
    for (let i = 0; i < this.actors.length; i += 1) {
      const { asleep } = this.actors[i];
      if (asleep !== undefined && isAbout(asleep, word)) this.#wake(i, 1);
    }
  }

  /** Ends the schedule. Not thrown from here: it would go through the code of those below. */
  failed(error: unknown): void {
    this.#thrown ??= { error };
    this.#next = -1;
  }

  // ---- choices ----

  /** Chooses who performs the next step, after crashes if any; -1 when nobody can. */
  #decide(mayPreempt: boolean): number {
    this.mayPreempt = mayPreempt;
    for (;;) {
      this.awake = this.#busy < 0 ? this.#ready : this.#ready & ~(this.#reclaiming & ~(1 << this.#busy));
      if ((this.awake | this.late) === 0 || this.steps > MOST_STEPS) return this.#chosen(-1);
      const choice = this.strategy.next(this);
      if (choice >= 0) return this.#chosen(choice);
      this.#crash(~choice);
    }
  }

  #chosen(actor: number): number {
    this.#next = actor;
    if (actor < 0) return actor;
    if (!has(this.awake | this.late, actor)) throw new Error(`Cannot choose actor ${actor}: it sleeps or has ended`);
    if (has(this.#reclaiming, actor)) this.#busy = actor;
    this.steps += 1;
    const last = this.segments[this.segments.length - 1];
    if (!this.#isNewSegment && last.actor === actor) last.steps += 1;
    else this.segments.push({ actor, steps: 1 });
    this.#isNewSegment = false;
    return actor;
  }

  #crash(actor: number): void {
    this.#crashesLeft -= 1;
    this.segments.push({ actor, steps: 0, crash: true });
    this.#isNewSegment = true;
    const one = this.actors[actor];
    one.state = 'dead';
    if (one.asleep !== undefined) this.#sleepers -= 1;
    one.asleep = undefined;
    this.#clear(actor);
    if (this.#crashesLeft === 0) this.mortal = 0;
    const dead = this.#reclaimers[actor] ?? actor;
    if (dead === actor) this.dead.push(actor);
    else this.#words.probe('a reclaimer dies');
    this.#reclaim(dead, actor);
  }

  #ended(actor: number): void {
    this.actors[actor].state = 'done';
    this.#clear(actor);
  }

  /** Starts a reclaimer, the successor of one that has died perhaps. */
  #reclaim(dead: number, after: number): void {
    if (this.board.reclaimer === undefined) return;
    const reclaimer = this.#add(`reclaimer of ${this.actors[dead].name}`, this.board.reclaimer(dead));
    this.#words.clocks.begin(reclaimer, [dead, after]);
    this.#reclaimers[reclaimer] = dead;
    this.#reclaiming |= 1 << reclaimer;
    if (this.#crashesLeft > 0) this.mortal |= 1 << reclaimer;
  }

  #add(name: string, make: ActorMaker): number {
    const index = this.actors.length;
    if (index === MOST_ACTORS) throw new Error('too many actors for one schedule');
    const nothing = { task: undefined, pending: undefined, asleep: undefined };
    this.actors.push({ name, make, log: [], ...nothing, woken: true, state: 'alive' });
    this.#ready |= 1 << index;
    this.#words.clocks.begin(index);
    return index;
  }

  #clear(actor: number): void {
    if (this.#busy === actor) this.#busy = -1;
    this.#ready &= ~(1 << actor);
    this.late &= ~(1 << actor);
    this.mortal &= ~(1 << actor);
  }

  // ---- steps ----

  /** Runs whoever is chosen, until it is one who waits below on the stack, or nobody. */
  #runUntilBelow(): void {
    while (this.#next >= 0 && !has(this.#below, this.#next)) this.#advance(this.#next);
  }

  /**
   * Runs others on top of an actor that stands before an operation.
   *
   * @returns whether it is its turn again: it just goes on. Else its stack is in the way of one below it, or all is over
   */
  #othersRunFirst(index: number): boolean {
    this.#below |= 1 << index;
    this.#runUntilBelow();
    this.#below &= ~(1 << index);
    if (this.#next !== index) return false;
    this.current = index;
    this.#words.resume(index, this.actors[index].log);
    return true;
  }

  /** Runs an actor, which has been chosen, until somebody else is. */
  #advance(index: number): void {
    const actor = this.actors[index];
    this.current = index;
    if (actor.asleep !== undefined) this.#wake(index, 0);
    const words = this.#words;
    try {
      if (actor.task === undefined) {
        words.enter(index, actor.log, 0);
        actor.task = actor.make();
      } else words.enter(index, actor.log, actor.log.length);
      this.#next = -1;
      if (this.#runTask(actor, actor.task, index)) return;
    } catch (error) {
      actor.task = undefined;
      if (error === OUT_OF_TURN) return; // the gate has said who is next
      this.failed(error);
      return;
    }
    this.#isNewSegment = true;
    this.#decide(true);
  }

  /** @returns whether the gate has ended its turn; else it sleeps or has ended */
  #runTask(actor: Actor, task: Task<unknown>, index: number): boolean {
    const words = this.#words;
    let park = actor.pending;
    actor.pending = undefined;
    let sent = actor.woken;
    for (;;) {
      if (park === undefined) {
        const result = task.next(sent);
        if (result.done === true) {
          this.#ended(index);
          return false;
        }
        park = result.value;
        if (words.isReplaying) {
          sent = words.replayed() === 1;
          park = undefined;
          continue;
        }
      }
      if (park.kind === 'reply' || park.kind === 'external') {
        throw new Error(`an explored actor waits for words and times only, not for ${park.what}`);
      }
      const mayPreempt = park.kind !== 'word' || words.isContended(park.word);
      if (!words.takeGrant() && this.#decide(mayPreempt) !== index) {
        actor.pending = park;
        return true;
      }
      if (park.kind === 'word' && this.#isOpen(park)) {
        this.#sleep(actor, index, park);
        return false;
      }
      words.record(1);
      sent = true;
      park = undefined;
    }
  }

  /** Whether a wait, or each of several, is not over yet. */
  #isOpen(park: WordPark): boolean {
    const words = this.#words;
    if (!(park instanceof AnyPark)) return words.peek(park.word) === park.expected;
    return park.parks.every(({ park: { word, expected }, since }) => {
      return since === undefined ? words.peek(word) === expected : words.notificationsOf(word) === since;
    });
  }

  #sleep(actor: Actor, index: number, park: WordPark): void {
    this.#words.probeSleep(actor.name, park.what);
    actor.asleep = park;
    this.#sleepers += 1;
    if (this.#busy === index) this.#busy = -1;
    this.#ready &= ~(1 << index);
    if (Number.isFinite(park.untilNs)) this.late |= 1 << index;
  }

  #wake(index: number, result: 0 | 1): void {
    const actor = this.actors[index];
    actor.asleep = undefined;
    this.#sleepers -= 1;
    actor.woken = result === 1;
    actor.log.push(result);
    this.#ready |= 1 << index;
    this.late &= ~(1 << index);
  }
}

/** Whether a notification of a word ends a wait. */
function isAbout(asleep: WordPark, word: number): boolean {
  return asleep instanceof AnyPark ? asleep.parks.some(({ park }) => park.word === word) : asleep.word === word;
}

/** What became of a schedule, and the schedule itself. */
export interface RunResult extends Outcome {
  readonly schedule: Schedule;
}

/** Runs one schedule of a board. @param crashes that may happen at most */
export function runSchedule(board: Board, strategy: Strategy, crashes: number): RunResult {
  const run = new Run(board, strategy, crashes);
  let failure: Failure | undefined;
  try {
    failure = run.toTheEnd();
    board.words.release();
    if (failure === undefined) board.end?.(run.dead);
  } catch (error) {
    board.words.release();
    failure = failureOf(error as Error, run.actors);
  }
  return { failure, steps: run.steps, schedule: run.segments as Segment[] };
}

function failureOf(error: Error, actors: readonly Actor[]): Failure {
  if (!(error instanceof PageRace)) return { kind: 'broken', message: error.message };
  const { page, earlier, later, kinds } = error;
  const message = `${actors[earlier].name} and ${actors[later].name} race on ${page}: ${kinds}`;
  return { kind: 'race', message };
}
