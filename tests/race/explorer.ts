/**
 * Runs small actors through seeded interleavings, one access to a shared word at a time.
 *
 * The mechanism is re-execution: an actor is a function that makes a generator. To advance it by one operation, it is
 * started anew, the results of its earlier operations are replayed from a log, one new operation is performed, and the
 * next one throws a sentinel. So production code is explored as it is, without yielding between its operations.
 * It relies on the shape of try-steps: local state built afresh, no effect but the words, no exception swallowed.
 */
import { AtomicWords, type Task, type WordIndex, type WordPark } from '@dmabuf-lab/core/base';

const OUT_OF_TURN = Symbol('out of turn');

/** What became of a schedule. */
export interface Outcome {
  readonly kind: 'ended' | 'deadlock';
  /** Actors that wait for ever, and for what. */
  readonly waiting: readonly string[];
  /** Operations performed. */
  readonly steps: number;
}

interface Actor {
  readonly name: string;
  readonly make: () => Task<unknown>;
  log: number[];
  /** The park that the actor sleeps on; `expected` is compared when it goes to sleep, as a futex does. */
  asleep: WordPark | undefined;
  /** Length of the log at which it went to sleep last. */
  sleptAt: number;
  done: boolean;
}

/** Words whose every access is one step of a schedule. */
export class ExploredWords extends AtomicWords {
  onNotify: (word: WordIndex) => void = () => {};
  #replay: number[] = [];
  #at = 0;
  #allowed = 0;
  #torn = false;

  /** Runs a function that replays a log and may then perform `allowed` operations. */
  during(log: number[], allowed: number, run: () => void): void {
    this.#replay = log;
    this.#at = 0;
    this.#allowed = allowed;
    this.#torn = false;
    try {
      run();
    } catch (error) {
      if (error !== OUT_OF_TURN) throw error;
    }
  }

  /** Whether the log has been replayed to its end. */
  get live(): boolean {
    return this.#at >= this.#replay.length;
  }

  override load(word: WordIndex): number {
    return this.#step(() => super.load(word));
  }
  override store(word: WordIndex, value: number): void {
    this.#step(() => {
      super.store(word, value);
      return 0;
    });
  }
  override add(word: WordIndex, delta: number): number {
    return this.#step(() => super.add(word, delta));
  }
  override compareExchange(word: WordIndex, expected: number, replacement: number): number {
    return this.#step(() => super.compareExchange(word, expected, replacement));
  }
  override notify(word: WordIndex): void {
    this.#step(() => {
      this.onNotify(word);
      return 0;
    });
  }

  /** A load that is no step: for the scheduler itself. */
  peek(word: WordIndex): number {
    return super.load(word);
  }

  /** A point where the schedule may switch although no word is touched, such as work on a mapped page. */
  pause(effect: () => void): void {
    this.#step(() => {
      effect();
      return 0;
    });
  }

  #step(operation: () => number): number {
    if (this.#torn) throw OUT_OF_TURN; // a `finally` on the way out must not act
    if (this.#at < this.#replay.length) {
      this.#at += 1;
      return this.#replay[this.#at - 1];
    }
    if (this.#allowed === 0) {
      this.#torn = true;
      throw OUT_OF_TURN;
    }
    this.#allowed -= 1;
    const result = operation();
    this.#replay.push(result);
    this.#at += 1;
    return result;
  }
}

/** A small seeded generator for schedules (xorshift32). */
export function scheduleRandom(seed: number): () => number {
  let state = Math.imul(seed + 1, 0x9e3779b9) | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 4_294_967_296;
  };
}

/** Runs actors to the end of one schedule. `switchProbability`: how often the running actor changes. */
export function explore(
  words: ExploredWords,
  actors: Readonly<Record<string, () => Task<unknown>>>,
  seed: number,
  switchProbability = 0.4,
): Outcome {
  const random = scheduleRandom(seed);
  const all: Actor[] = Object.entries(actors).map(([name, make]) => {
    return { name, make, log: [], asleep: undefined, sleptAt: -1, done: false };
  });
  words.onNotify = (word) => {
    for (const actor of all) if (actor.asleep?.word === word) actor.asleep = undefined;
  };
  let steps = 0;
  let current: Actor | undefined;
  for (;;) {
    const ready = all.filter((actor) => !actor.done && actor.asleep === undefined);
    if (ready.length === 0) {
      const waiting = all.filter((actor) => !actor.done).map((actor) => `${actor.name} for ${actor.asleep?.what}`);
      return { kind: waiting.length === 0 ? 'ended' : 'deadlock', waiting, steps };
    }
    if (current === undefined || !ready.includes(current) || random() < switchProbability) {
      current = ready[Math.floor(random() * ready.length)];
    }
    steps += 1;
    advance(words, current);
    if (steps > 20_000) throw new Error(`schedule ${seed} does not end: a livelock?`);
  }
}

/** Advances one actor by one operation: an access to a word, or going to sleep. */
function advance(words: ExploredWords, actor: Actor): void {
  const before = actor.log.length;
  words.during(actor.log, 1, () => {
    const task = actor.make();
    for (;;) {
      const result = task.next(true);
      if (result.done === true) {
        actor.done = true;
        return;
      }
      const park = result.value;
      if (park.kind === 'reply' || park.kind === 'external') {
        throw new Error(`an explored actor waits for words and times only, not for ${park.what}`);
      }
      const isNew = words.live && actor.log.length === before && actor.sleptAt !== before;
      if (park.kind === 'time' || !isNew) continue; // time passes at once; an earlier sleep is over
      actor.sleptAt = before;
      if (words.peek(park.word) === park.expected) actor.asleep = park;
      return;
    }
  });
}
