/** What is explored: a few actors made of production code, the words they share, and what must hold in the end. */
import { type Task, WordPark } from '@dmabuf-lab/core/base';
import type { ExploredWords } from './explored-words.js';

/** Makes an actor's generator. Called again at each re-execution: builds all its local state anew. */
export type ActorMaker = () => Task<unknown>;

export interface Board {
  readonly words: ExploredWords;
  /** Sets the ghosts of a schedule up; the words have been set back. Cheap: it is called for each schedule. */
  begin(): Readonly<Record<string, ActorMaker>>;
  /** The actors that may crash; none where it is absent. */
  readonly mortal?: readonly string[];
  /**
   * Makes the one who takes back what a dead actor (its number in the order of `begin`) held. It may die, too: then another
   * one does all of it again. Reclaimers of several dead are tasks of one actor: they take turns where they wait.
   */
  reclaimer?(dead: number): ActorMaker;
  /**
   * Checks what must hold once every actor has ended or died. Nobody waits any more.
   *
   * @param dead the actors that have died, reclaimers not included
   * @throws Error that says what is broken
   */
  end?(dead: readonly number[]): void;
}

export interface Failure {
  /** `stuck`: somebody waits for ever; `race`: plain accesses that nothing orders; `broken`: an invariant. */
  readonly kind: 'stuck' | 'race' | 'broken' | 'endless';
  readonly message: string;
}

/** What became of one schedule. */
export interface Outcome {
  readonly failure: Failure | undefined;
  readonly steps: number;
}

/** One of several waits: on a value, or, where it has begun already, on a wake-up since. */
export interface OneOfParks {
  readonly park: WordPark;
  readonly since?: number;
}

/** Waits until one of several waits is over: what the event loop of an actor with several tasks does. */
export class AnyPark extends WordPark {
  constructor(readonly parks: readonly OneOfParks[]) {
    super(parks[0].park.word, parks[0].park.expected, parks.map(({ park }) => park.what).join(' or '));
  }
}
