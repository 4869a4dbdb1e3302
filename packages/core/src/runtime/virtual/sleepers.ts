import type { WordIndex } from '../../base/index.js';
import type { Running } from './running.js';

/** Who sleeps on which word. */
export class Sleepers {
  readonly #sleepers = new Map<WordIndex, Running[]>();

  add(word: WordIndex, running: Running): void {
    const sleepers = this.#sleepers.get(word);
    if (sleepers === undefined) this.#sleepers.set(word, [running]);
    else if (!sleepers.includes(running)) sleepers.push(running); // it may have timed out and come back
  }

  /** Takes out all who sleep on a word, and calls back for those who still do: the others have timed out meanwhile. */
  wake(word: WordIndex, each: (running: Running) => void): void {
    const sleepers = this.#sleepers.get(word);
    if (sleepers === undefined || sleepers.length === 0) return;
    this.#sleepers.delete(word);
    for (const running of sleepers) {
      const park = running.waiting;
      if (park?.kind === 'word' && park.word === word) each(running);
    }
  }
}
