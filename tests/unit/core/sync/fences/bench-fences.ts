import type { Clock, Nanoseconds } from '@dmabuf-lab/core/base';
import { Fence, FenceContexts } from '@dmabuf-lab/core/sync';

/** A clock that stands still until a test moves it. */
export class HandClock implements Clock {
  constructor(public timeNs: Nanoseconds = 1000) {}
  now(): Nanoseconds {
    return this.timeNs;
  }
}

/** A clock, contexts and a maker of plain fences. */
export class FenceBench {
  readonly clock = new HandClock();
  readonly contexts = new FenceContexts(this.clock);

  /** A pending fence; on a context of its own unless one is given. */
  fence(context = this.contexts.allocate(), seqno = 1): Fence {
    return new Fence({ clock: this.clock, context, seqno, driverName: 'mock', timelineName: 'line' });
  }

  fences(count: number): Fence[] {
    return Array.from({ length: count }, () => this.fence());
  }
}
