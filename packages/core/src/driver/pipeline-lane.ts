import { ErrnoError } from '../base/index.js';
import type { FenceDebt } from '../dma-buf/index.js';
import type { DmaFence, Timeline } from '../sync/index.js';
import type { Lane } from './driver-port.js';

/**
 * One thing at a time: a generator of a driver with a timeline of its own.
 *
 * A device that serves k frames at once owns k lanes, since points of one timeline are signalled in order and since a
 * generator that owes a published fence must not wait for a move.
 */
export class PipelineLane implements Lane, FenceDebt {
  owed = 0;

  constructor(readonly timeline: Timeline) {}

  /**
   * A fence that this lane has to signal.
   *
   * @throws ErrnoError EIO when the words of its timeline were overwritten: nobody could wait for the fence
   */
  owe(): DmaFence {
    if (this.timeline.isCondemned) {
      const message = `Cannot publish a fence on timeline ${this.timeline.slot}: its control words have been overwritten`;
      throw new ErrnoError('EIO', 'dma_fence_init', message, { timeline: this.timeline.slot });
    }
    this.owed += 1;
    return this.timeline.next();
  }

  /** Signals it, with an error if the work failed. */
  pay(fence: DmaFence, error?: 'EIO' | 'ECANCELED'): void {
    this.timeline.signal(fence, error);
    this.owed -= 1;
  }
}
