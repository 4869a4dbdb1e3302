/** Seeded random schedules, and those of PCT: each a seed that tells all of it. */
import { byDefault, type ChoicePoint, has, type Strategy } from './strategy.js';

/** A small seeded generator (xorshift32). @returns numbers from 0 to below 1 */
export function scheduleRandom(seed: number): () => number {
  let state = Math.imul(seed + 1, 0x9e3779b9) | 1;
  for (let i = 0; i < 3; i += 1) state = scramble(state);
  return () => {
    state = scramble(state);
    return (state >>> 0) / 4_294_967_296;
  };
}

function scramble(state: number): number {
  state ^= state << 13;
  state ^= state >>> 17;
  return state ^ (state << 5);
}

/** One of the actors of a mask, or of two masks. */
function pick(mask: number, random: () => number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count += 1;
  let index = Math.floor(random() * count);
  for (let actor = 0; ; actor += 1) {
    if (has(mask, actor) && index-- === 0) return actor;
  }
}

export interface RandomBound {
  readonly firstSeed: number;
  /** Crashes in one schedule at most. */
  readonly crashes?: number;
  /** How often the running actor changes. */
  readonly switchProbability?: number;
}

/** Switches at any step with a fixed probability, and crashes at steps drawn beforehand. */
export class RandomSwitches implements Strategy {
  #seed: number;
  #random = scheduleRandom(0);
  #crashAt: number[] = [];
  #length = 30;
  readonly #switches: number;

  constructor(private readonly bound: RandomBound) {
    this.#seed = bound.firstSeed - 1;
    this.#switches = bound.switchProbability ?? 0.3;
  }

  get name(): string {
    return `random, seed ${this.#seed}, crashes drawn from ${this.#length} steps`;
  }

  begin(): boolean {
    this.#seed += 1;
    this.#random = scheduleRandom(this.#seed);
    this.#crashAt = drawn(this.bound.crashes ?? 0, this.#length, this.#random);
    return true;
  }

  next(point: ChoicePoint): number {
    const { current, awake, late, steps } = point;
    if (this.#crashAt.length > 0 && steps >= this.#crashAt[0] && point.mortal !== 0) {
      this.#crashAt.shift();
      return ~(has(point.mortal, current) ? current : pick(point.mortal, this.#random));
    }
    if (has(awake, current) && this.#random() >= this.#switches) return current;
    const isLate = late !== 0 && (awake === 0 || this.#random() < 0.05);
    return pick(isLate ? late : awake, this.#random);
  }

  end(steps: number): void {
    this.#length = grown(this.#length, steps);
  }
}

export interface PctBound {
  readonly firstSeed: number;
  /** Depth of the bugs looked for: d - 1 steps at which the running actor falls behind all others. */
  readonly depth: number;
  readonly crashes?: number;
}

/**
 * Probabilistic concurrency testing: random priorities, and d - 1 random steps at which the running actor gets the lowest.
 * Source: Burckhardt, Kothari, Musuvathi, Nagarakatte, ASPLOS 2010: finds a bug of depth d among n actors and k steps with
 * a probability of at least 1 / (n * k^(d-1)).
 */
export class Pct implements Strategy {
  #seed: number;
  #random = scheduleRandom(0);
  #priorities: number[] = [];
  #changeAt: number[] = [];
  #crashAt: number[] = [];
  #length = 30;

  constructor(private readonly bound: PctBound) {
    this.#seed = bound.firstSeed - 1;
  }

  get name(): string {
    return `PCT of depth ${this.bound.depth}, seed ${this.#seed}, drawn from ${this.#length} steps`;
  }

  begin(): boolean {
    this.#seed += 1;
    this.#random = scheduleRandom(this.#seed);
    this.#priorities = [];
    this.#changeAt = drawn(this.bound.depth - 1, this.#length, this.#random);
    this.#crashAt = drawn(this.bound.crashes ?? 0, this.#length, this.#random);
    return true;
  }

  next(point: ChoicePoint): number {
    const { current, awake, late, steps } = point;
    if (this.#crashAt.length > 0 && steps >= this.#crashAt[0] && has(point.mortal, current)) {
      this.#crashAt.shift();
      return ~current;
    }
    if (this.#changeAt.length > 0 && steps >= this.#changeAt[0] && point.mayPreempt) {
      this.#changeAt.shift();
      if (current >= 0) this.#priorities[current] = -1 - steps;
    }
    const mask = awake !== 0 ? awake : late;
    let best = byDefault(point);
    for (let actor = 0; mask >>> actor !== 0; actor += 1) {
      this.#priorities[actor] ??= this.#random();
      if (has(mask, actor) && this.#priorities[actor] > (this.#priorities[best] ?? -1e9)) best = actor;
    }
    return best;
  }

  end(steps: number): void {
    this.#length = grown(this.#length, steps);
  }
}

/** The length of a schedule as it is guessed before it runs: in powers of two, so that few seeds are run with a wrong one. */
function grown(length: number, steps: number): number {
  while (length < steps && length < 1_000) length *= 2;
  return length;
}

/** So many steps below a length, in order. */
function drawn(count: number, length: number, random: () => number): number[] {
  return Array.from({ length: count }, () => Math.floor(random() * length)).sort((a, b) => a - b);
}
