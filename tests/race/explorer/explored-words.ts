/**
 * Control words whose every access is one step of a schedule.
 *
 * An actor runs until somebody else is to go on. Then others run on top of its stack, inside the operation that it is about to
 * perform, which goes on when its turn comes again. Where it is in the way of one below it, the operation throws a sentinel
 * instead, and its code is executed once more: when its turn comes it is started anew, and the results of its earlier
 * operations are read from its log. It relies on the shape of try-steps: local state built afresh, no effect but the words, no
 * exception swallowed. Between two switches nothing is done twice.
 */
import { AtomicWords, type WordIndex } from '@dmabuf-lab/core/base';
import { VectorClocks } from './vector-clocks.js';

/** Thrown at an operation whose actor is in the way of one below it. A symbol: it is caught by no code that looks for errors. */
export const OUT_OF_TURN = Symbol('out of turn');

/** Decides before each step whether the running actor performs it. */
export interface Gate {
  /** Others may run meanwhile. `word` is -1 for a step that touches none. */
  goesOn(word: number): boolean;
  notified(word: WordIndex): void;
  /** What a board notes down has thrown: the schedule ends here. */
  failed(error: unknown): void;
}

const NOBODY = 0;
const SEVERAL = 127;

/** A rare path that has been taken. */
export interface Probe {
  /** How many schedules have taken it, each once or more. */
  readonly schedules: number;
}

interface CountedProbe extends Probe {
  schedules: number;
  /** The last schedule that has. */
  last: number;
}

export class ExploredWords extends AtomicWords {
  readonly clocks: VectorClocks;
  /** Rare paths that have been taken, by name; kept over all schedules. */
  readonly #probes = new Map<string, CountedProbe>();
  /** Schedules that have begun. */
  #schedules = 0;
  /** Names of the probes that tell who has slept, and for what: made once. */
  readonly #sleeps = new Map<string, Map<string, string>>();
  #gate: Gate | undefined;
  #log: number[] = [];
  #at = 0;
  #granted = false;
  #torn = false;
  #actor = 0;
  #initial: Int32Array | undefined;
  /** Notifications of each word in the present schedule, where anybody asks for them. */
  readonly #notifications = new Map<number, number>();
  /** By word: nobody, the one actor that has touched it in any schedule (plus 1), or several. */
  readonly #touchedBy: Int8Array;
  /** Words that several actors touch; grows as schedules discover them. */
  contendedCount = 0;
  /** Those known when the present schedule began. */
  readonly #contended: Uint8Array;
  #knownCount = 0;

  constructor(sizeBytes: number) {
    super(new SharedArrayBuffer(sizeBytes));
    this.clocks = new VectorClocks(this.cells.length);
    this.#touchedBy = new Int8Array(this.cells.length);
    this.#contended = new Uint8Array(this.cells.length);
  }

  // ---- for the scheduler ----

  /** Every schedule begins with the words as they are now. */
  keepAsInitial(): void {
    this.#initial = this.cells.slice();
  }

  get probes(): ReadonlyMap<string, Probe> {
    return this.#probes;
  }

  /** Sets everything back, and puts all operations under a gate from here on. */
  rewind(gate: Gate): void {
    if (this.#initial === undefined) throw new Error('a board keeps its initial words when it has set them up');
    this.#schedules += 1;
    this.cells.set(this.#initial);
    this.clocks.reset();
    this.#notifications.clear();
    this.#gate = gate;
    if (this.#knownCount === this.contendedCount) return;
    this.#knownCount = this.contendedCount;
    this.#touchedBy.forEach((by, word) => {
      this.#contended[word] = by === SEVERAL ? 1 : 0;
    });
  }

  /** Lets operations through again as they come: set-up, and the checks after a schedule. */
  release(): void {
    this.#gate = undefined;
  }

  /** Begins to run an actor: its log is replayed first; then one step is granted and the gate asked before each other. */
  enter(actor: number, log: number[], at: number): void {
    this.#actor = actor;
    this.#log = log;
    this.#at = at;
    this.#granted = true;
    this.#torn = false;
  }

  get isReplaying(): boolean {
    return this.#at < this.#log.length;
  }

  /** The next entry of the log that is being replayed. */
  replayed(): number {
    this.#at += 1;
    return this.#log[this.#at - 1];
  }

  /** Goes on with an actor that stands before an operation, whose step has been granted. */
  resume(actor: number, log: number[]): void {
    this.enter(actor, log, log.length);
    this.#granted = false;
  }

  /** Whether the next step of the running actor has been granted; asked once. */
  takeGrant(): boolean {
    const granted = this.#granted;
    this.#granted = false;
    return granted;
  }

  /** Whether several actors touch a word, as far as was known when the schedule began. */
  isContended(word: number): boolean {
    return word < 0 || this.#contended[word] === 1;
  }

  /** A load that is no step: for the scheduler, and for the checks of a board. */
  peek(word: number): number {
    return this.cells[word];
  }

  record(result: number): number {
    this.#log.push(result);
    this.#at += 1;
    return result;
  }

  // ---- operations ----

  override load(word: WordIndex): number {
    if (this.#gate === undefined) return this.cells[word];
    if (this.#replays()) return this.replayed();
    this.#step(word);
    this.clocks.acquire(this.#actor, word);
    return this.record(this.cells[word]);
  }

  override store(word: WordIndex, value: number): void {
    if (this.#gate === undefined) this.cells[word] = value;
    else if (this.#replays()) this.replayed();
    else {
      this.#step(word);
      this.clocks.release(this.#actor, word);
      this.cells[word] = value;
      this.record(0);
    }
  }

  override add(word: WordIndex, delta: number): number {
    if (this.#gate !== undefined) {
      if (this.#replays()) return this.replayed();
      this.#step(word);
      this.clocks.acquire(this.#actor, word);
      this.clocks.release(this.#actor, word);
    }
    const before = this.cells[word];
    this.cells[word] = before + delta;
    return this.#gate === undefined ? before : this.record(before);
  }

  override compareExchange(word: WordIndex, expected: number, replacement: number): number {
    if (this.#gate !== undefined) {
      if (this.#replays()) return this.replayed();
      this.#step(word);
      this.clocks.acquire(this.#actor, word);
    }
    const before = this.cells[word];
    if (before === expected) {
      if (this.#gate !== undefined) this.clocks.release(this.#actor, word);
      this.cells[word] = replacement;
    }
    return this.#gate === undefined ? before : this.record(before);
  }

  override notify(word: WordIndex): void {
    if (this.#gate === undefined) return;
    if (this.#replays()) this.replayed();
    else {
      this.#step(word);
      this.#gate.notified(word);
      this.#notifications.set(word, this.notificationsOf(word) + 1);
      this.record(0);
    }
  }

  /** How often a word has been notified: for the scheduler. */
  notificationsOf(word: number): number {
    return this.#notifications.get(word) ?? 0;
  }

  // ---- for an actor that runs several tasks ----

  /** Begins to wait on a word as `Atomics.waitAsync` does. @returns -1 where it holds something else, or a count for `wasNotified` */
  beginWait(word: WordIndex, expected: number): number {
    if (this.#replays()) return this.replayed();
    this.#step(word);
    return this.record(this.cells[word] === expected ? this.notificationsOf(word) : -1);
  }

  /** Whether a wait that has begun is over: it was woken, whatever the word holds now. */
  wasNotified(word: WordIndex, since: number): boolean {
    if (this.#replays()) return this.replayed() === 1;
    this.#step(word);
    return this.record(this.notificationsOf(word) > since ? 1 : 0) === 1;
  }

  // ---- for boards ----

  /** A point where the schedule may switch although no word is touched, such as work on a mapped page. */
  pause(effect: () => void = () => {}): void {
    if (this.#gate === undefined) effect();
    else if (this.#replays()) this.replayed();
    else {
      if (!this.takeGrant() && !this.#gate.goesOn(-1)) this.#tear();
      this.#perform(effect);
      this.record(0);
    }
  }

  /** What a board notes down, in one with the step before: done once, however often its actor is run anew. */
  ghost(effect: () => void): void {
    if (this.#gate === undefined) effect();
    else if (this.#replays()) this.replayed();
    else {
      this.#perform(effect);
      this.record(0);
    }
  }

  /** Begins or ends an access to plain memory, in one with the step before. Two accesses that race are a failure. */
  access(page: string, kind: 'read' | 'write'): void {
    if (this.#gate === undefined) this.clocks.access(this.#actor, page, kind);
    else if (this.#replays()) this.replayed();
    else {
      try {
        this.clocks.access(this.#actor, page, kind);
      } catch (error) {
        this.#fail(error);
      }
      this.record(0);
    }
  }

  /** Notes that a rare path has been taken; code that is executed once more notes it again, and it counts once. */
  probe(name: string): void {
    const probe = this.#probes.get(name);
    if (probe === undefined) this.#probes.set(name, { schedules: 1, last: this.#schedules });
    else if (probe.last !== this.#schedules) {
      probe.schedules += 1;
      probe.last = this.#schedules;
    }
  }

  /** Notes that an actor has gone to sleep. */
  probeSleep(actor: string, what: string): void {
    let probes = this.#sleeps.get(actor);
    if (probes === undefined) {
      probes = new Map();
      this.#sleeps.set(actor, probes);
    }
    let name = probes.get(what);
    if (name === undefined) {
      name = `sleeps: ${actor} for ${what}`;
      probes.set(what, name);
    }
    this.probe(name);
  }

  /** Whether a step comes from the log; after the sentinel nothing may act, such as a `finally` on the way out. */
  #replays(): boolean {
    if (this.#torn) throw OUT_OF_TURN;
    return this.#at < this.#log.length;
  }

  /** What fails ends the schedule at once: code on the way out, such as a `finally`, could be interrupted and lose it. */
  #perform(effect: () => void): void {
    try {
      effect();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): never {
    this.#gate!.failed(error);
    this.#tear();
  }

  #step(word: WordIndex): void {
    if (!this.takeGrant() && !this.#gate!.goesOn(word)) this.#tear();
    const by = this.#touchedBy[word];
    if (by === this.#actor + 1 || by === SEVERAL) return;
    this.#touchedBy[word] = by === NOBODY ? this.#actor + 1 : SEVERAL;
    if (by !== NOBODY) this.contendedCount += 1;
  }

  #tear(): never {
    this.#torn = true;
    throw OUT_OF_TURN;
  }
}
