import type { Clock, Nanoseconds } from '../../base/index.js';
import { Fence } from './fence.js';

/**
 * A fence that is signalled from the start: context 0, seqno 0, driver and timeline `stub`.
 *
 * @param timestampNs when it counts as signalled, in nanoseconds of model time; now, if it is not given
 * Source: dma_fence_allocate_private_stub, v6.12.
 */
export function createStubFence(clock: Clock, timestampNs: Nanoseconds = clock.now()): Fence {
  const fence = new Fence({ clock, context: 0, seqno: 0, driverName: 'stub', timelineName: 'stub' });
  fence.enableSignalling();
  fence.signal(timestampNs);
  return fence;
}
