/** What is explored: a few actors made of production code, the words they share, and what must hold in the end. */
import type { Task } from '@dmabuf-lab/core/base';
import type { ExploredWords } from './explored-words.js';

/** Makes an actor's generator. Called again at each re-execution: builds all its local state anew. */
export type ActorMaker = () => Task<unknown>;

export interface Board {
  readonly words: ExploredWords;
  /** Sets the ghosts of a schedule up; the words have been set back. Cheap: it is called for each schedule. */
  begin(): Readonly<Record<string, ActorMaker>>;
  /** The actors that may crash; none where it is absent. */
  readonly mortal?: readonly string[];
  /** Makes the one who takes back what dead actors (numbers in the order of `begin`) held. It may die, too. */
  reclaimer?(dead: readonly number[]): ActorMaker;
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
