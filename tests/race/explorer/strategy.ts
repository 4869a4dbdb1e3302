/** Who goes on: the choices of a schedule, and the strategy that follows a given one. */
import type { Schedule } from './schedule.js';

/** A point at which somebody is chosen. Bit i of a mask stands for actor i. */
export interface ChoicePoint {
  /** Who performed the last step; -1 at the beginning. */
  readonly current: number;
  /** Actors that can go on. */
  readonly awake: number;
  /** Actors that sleep and could be woken by their time-out. */
  readonly late: number;
  /** Whether a switch away from an actor that could go on is worth trying here. */
  readonly mayPreempt: boolean;
  /** Actors that may crash here. */
  readonly mortal: number;
  /** Steps performed. */
  readonly steps: number;
}

export interface Strategy {
  /** Begins the next schedule. @returns false when there is none */
  begin(): boolean;
  /** @returns the actor that performs the next step, or `~actor` to crash one */
  next(point: ChoicePoint): number;
  /** Told after each schedule how long it was. */
  end?(steps: number): void;
  /** The present schedule, in words that let a reader run it again. */
  readonly name: string;
}

export const has = (mask: number, actor: number): boolean => actor >= 0 && ((mask >>> actor) & 1) === 1;
export const firstOf = (mask: number): number => 31 - Math.clz32(mask & -mask);

/** The one that goes on where nothing is chosen: the current actor, else the first that can, else a time-out. */
export function byDefault({ current, awake, late }: ChoicePoint): number {
  if (has(awake, current)) return current;
  return firstOf(awake !== 0 ? awake : late);
}

/** Follows a given schedule, once. */
export class Replay implements Strategy {
  readonly name = 'a replay';
  #begun = false;
  #index = 0;
  #done = 0;

  constructor(private readonly schedule: Schedule) {}

  begin(): boolean {
    const isFirst = !this.#begun;
    this.#begun = true;
    return isFirst;
  }

  next(point: ChoicePoint): number {
    for (; this.#index < this.schedule.length; this.#advance()) {
      const { actor, steps, crash } = this.schedule[this.#index];
      if (crash) {
        if (!has(point.mortal, actor)) continue;
        this.#advance();
        return ~actor;
      }
      // Only the first step of a segment may be a time-out: an actor that falls asleep has done with it.
      const able = this.#done === 0 ? point.awake | point.late : point.awake;
      if (this.#done >= steps || !has(able, actor)) continue;
      this.#done += 1;
      return actor;
    }
    return byDefault(point);
  }

  #advance(): void {
    this.#index += 1;
    this.#done = 0;
  }
}
