/**
 * Steps: two words by which a run in this thread shows another thread that it goes on.
 *
 * Purpose   A driver that loops without a wait stops a run on the virtual clock and the process's own event loop with it; only
 *           another thread can still say so.
 * Layout    word 0  STEPS   events that have begun, and turns of the event loop; grows, and wraps. Written by the thread of the run.
 *           word 1  DEVICE  number of the device whose generator the last event steps. Written by the thread of the run, before STEPS.
 * Progress  Wait-free. Nobody sleeps on them: the other thread looks now and then. A look between the two stores sees the next
 *           device beside the old count, which is told of only when the count then stays for seconds, that is, of that device.
 * Shown by  tests/drivers/own-drivers.test.ts.
 */
import { AtomicWords, wordIndex } from '../../base/index.js';

const STEPS = wordIndex(0);
const DEVICE = wordIndex(1);

export class StallWords {
  readonly #words: AtomicWords;
  #steps = 0;

  constructor(readonly memory = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT)) {
    this.#words = new AtomicWords(memory);
  }

  /** The step of a device begins. */
  step(device: number): void {
    this.#words.store(DEVICE, device);
    this.turn();
  }

  /** The thread does something else. */
  turn(): void {
    this.#steps = (this.#steps + 1) | 0;
    this.#words.store(STEPS, this.#steps);
  }

  get steps(): number {
    return this.#words.load(STEPS);
  }

  get device(): number {
    return this.#words.load(DEVICE);
  }
}
