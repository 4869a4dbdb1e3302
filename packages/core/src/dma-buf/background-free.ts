/**
 * The kernel thread that zeroes what heaps have freed: one for all heaps, of low priority, a block at a time.
 *
 * Source: deferred_free_thread of John Stultz' RFC of 2020, after ion_heap_deferred_free, v5.10.
 */
import { type ActorServices, sleepUntil, type Task } from '../base/index.js';
import type { DmaHeap, HeapBackground } from './dma-heap.js';

export class BackgroundFree {
  readonly #busy = new Set<HeapBackground>();

  /** @param zeroNs model time to zero so many bytes */
  constructor(
    private readonly services: ActorServices,
    private readonly zeroNs: (sizeBytes: number) => number,
  ) {}

  /** Starts on what a heap has queued, unless that is under way. */
  wake({ name, background }: DmaHeap): void {
    if (background === undefined || background.pendingBytes === 0 || this.#busy.has(background)) return;
    this.#busy.add(background);
    this.services.spawn(`zero freed pages of ${name}`, this.#drain(background));
  }

  *#drain(background: HeapBackground): Task<void> {
    for (let bytes = background.step(); bytes !== undefined; bytes = background.step()) {
      const costNs = this.zeroNs(bytes);
      if (costNs > 0) yield* sleepUntil(this.services.clock.now() + costNs, 'zeroing freed pages');
    }
    this.#busy.delete(background);
  }
}
