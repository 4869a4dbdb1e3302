/**
 * Stop: one word by which the process that started trials asks the workers of its pool to end theirs.
 *
 * Purpose   A worker that steps a trial in virtual time takes no message until the trial is over.
 * Layout    word 0  STOP  0; 1 once the trials are to end. Written by the process that started them, read by all workers.
 * Progress  Wait-free. Nobody sleeps on it: a worker looks between two bursts of events.
 * Shown by  tests/stress/stress-trials.test.ts.
 */
import { AtomicWords, wordIndex } from '@dmabuf-lab/core/base';

const STOP = wordIndex(0);

export class TrialStopWords {
  readonly #words: AtomicWords;

  constructor(readonly memory = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)) {
    this.#words = new AtomicWords(memory);
  }

  stop(): void {
    this.#words.store(STOP, 1);
  }

  get isStopped(): boolean {
    return this.#words.load(STOP) !== 0;
  }
}
