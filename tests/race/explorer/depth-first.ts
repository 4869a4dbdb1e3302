/**
 * All schedules with at most so many preemptions and crashes, one after the other.
 *
 * A switch away from an actor that could go on is a preemption and costs one; a switch where the actor waits or has ended
 * is free. Only the actor that made the last step may crash: nobody but its reclaimer sees a death, so dying later is the
 * same as dying there and being reclaimed later. Preemptions are tried before operations on words that several actors touch, since all others commute. Source:
 * iterative context bounding (Musuvathi and Qadeer, PLDI 2007), the search of CHESS.
 */
import type { ExploredWords } from './explored-words.js';
import { type ChoicePoint, has, type Strategy } from './strategy.js';

interface Branch {
  readonly options: readonly number[];
  at: number;
}

export interface DepthFirstBound {
  readonly preemptions: number;
  /** Crashes that are tried at each step of a mortal actor. */
  readonly crashes?: number;
}

export class DepthFirst implements Strategy {
  #path: Branch[] = [];
  #depth = 0;
  #preemptionsLeft = 0;
  #crashesLeft = 0;
  #contended = -1;
  #begun = false;

  constructor(
    private readonly words: ExploredWords,
    private readonly bound: DepthFirstBound,
  ) {}

  get name(): string {
    const { preemptions, crashes = 0 } = this.bound;
    return `depth first, ${preemptions} preemptions, ${crashes} crashes`;
  }

  begin(): boolean {
    // A word that has turned out to be contended adds branches before those of the path: the search starts over.
    if (this.words.contendedCount !== this.#contended) this.#path = [];
    else if (!this.#nextPath()) return false;
    this.#contended = this.words.contendedCount;
    this.#begun = true;
    this.#depth = 0;
    this.#preemptionsLeft = this.bound.preemptions;
    this.#crashesLeft = this.bound.crashes ?? 0;
    return true;
  }

  next(point: ChoicePoint): number {
    const { current, awake, mayPreempt } = point;
    const goesOn = has(awake, current);
    const mayCrash = this.#crashesLeft > 0 && has(point.mortal, current);
    if (goesOn && !mayCrash && (!mayPreempt || this.#preemptionsLeft === 0)) return current;
    let branch = this.#path[this.#depth];
    if (branch === undefined) {
      branch = { options: this.#options(point, goesOn, mayCrash), at: 0 };
      this.#path.push(branch);
    }
    this.#depth += 1;
    const choice = branch.options[branch.at];
    if (choice < 0) this.#crashesLeft -= 1;
    else if (goesOn && choice !== current) this.#preemptionsLeft -= 1;
    return choice;
  }

  #options({ current, awake, late, mayPreempt }: ChoicePoint, goesOn: boolean, mayCrash: boolean): number[] {
    const options = goesOn ? [current] : [];
    if (!goesOn || (mayPreempt && this.#preemptionsLeft > 0)) {
      for (const mask of [awake, late]) {
        for (let actor = 0; mask >>> actor !== 0; actor += 1) {
          if (has(mask, actor) && !options.includes(actor)) options.push(actor);
        }
      }
    }
    if (mayCrash) options.push(~current);
    return options;
  }

  #nextPath(): boolean {
    if (!this.#begun) return true;
    for (let last = this.#path.pop(); last !== undefined; last = this.#path.pop()) {
      if (last.at + 1 >= last.options.length) continue;
      last.at += 1;
      this.#path.push(last);
      return true;
    }
    return false;
  }
}
