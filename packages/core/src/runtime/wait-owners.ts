/** Who can end a wait: what the runtimes ask whoever laid out the control memory, so that they can name deadlocks. */
import type { ActorId, WordPark } from '../base/index.js';

/** One who can end a wait. */
export interface WaitOwner {
  readonly actor: ActorId;
  /** Its generator that alone can, by the number that the runtime gave it (`ActorServices.generator`); absent: any of them. */
  readonly generator?: number;
}

/** Knows from the words as they are now who can end a wait. */
export interface WaitOwners {
  /**
   * Who can end a wait on a word: each of them alone may. None when that cannot be said, or when the wait may end by itself:
   * then nobody is taken for stuck. Context: the word holds what the park expects.
   */
  ownersOf(park: WordPark): readonly WaitOwner[];
}
