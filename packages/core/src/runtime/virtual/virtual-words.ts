import { AtomicWords, type Wake, type WordIndex } from '../../base/index.js';

/**
 * Control words of the virtual runtime: one thread, so plain access will do, and a notify becomes events.
 */
export class VirtualWords extends AtomicWords {
  onNotify: (word: WordIndex, wake: Wake) => void = () => {};

  override load(word: WordIndex): number {
    return this.cells[word];
  }

  override store(word: WordIndex, value: number): void {
    this.cells[word] = value;
  }

  override add(word: WordIndex, delta: number): number {
    const before = this.cells[word];
    this.cells[word] = before + delta;
    return before;
  }

  override compareExchange(word: WordIndex, expected: number, replacement: number): number {
    const before = this.cells[word];
    if (before === expected) this.cells[word] = replacement;
    return before;
  }

  override notify(word: WordIndex, wake: Wake = 0): void {
    this.onNotify(word, wake);
  }
}
