import { AtomicWords, type Wake, type WordIndex } from '../../base/index.js';

/** Control words whose notify becomes events of the virtual runtime. */
export class VirtualWords extends AtomicWords {
  onNotify: (word: WordIndex, wake: Wake) => void = () => {};

  override notify(word: WordIndex, wake: Wake = 0): void {
    this.onNotify(word, wake);
  }
}
