/** A fault of the scenario: somebody else takes all that is free of a heap, and gives it back later. */
import { isErrno, type Nanoseconds, type Task } from '@dmabuf-lab/core/base';
import type { DmaHeap, HeapAllocation } from '@dmabuf-lab/core/dma-buf';
import { PAGE_SIZE } from '@dmabuf-lab/core/memory';
import type { ActorHost } from '@dmabuf-lab/core/runtime';

/** A heap that is full for a while. */
export interface Exhaustion {
  readonly heap: string;
  readonly atNs: Nanoseconds;
  readonly untilNs: Nanoseconds;
}

/** Takes what is free in ever smaller pieces, so that not a page is left; what is freed meanwhile may be had. */
export function* exhaustHeap(host: ActorHost, heap: DmaHeap, { atNs, untilNs }: Exhaustion): Task<void> {
  if (!(yield* host.untilScenarioTime(atNs))) return;
  const startNs = host.clock.now();
  const taken = takeAll(heap);
  const bytes = taken.reduce((sum, { sgTable }) => sum + sgTable.lengthBytes, 0);
  yield* host.untilScenarioTime(untilNs);
  for (const allocation of taken) heap.ops.release(allocation);
  const durationNs = host.clock.now() - startNs;
  host.trace.add({ track: `heap ${heap.name}`, name: 'exhausted', startNs, durationNs, args: { bytes } });
}

function takeAll(heap: DmaHeap): HeapAllocation[] {
  const taken: HeapAllocation[] = [];
  let sizeBytes = PAGE_SIZE * 2 ** 20;
  while (sizeBytes >= PAGE_SIZE) {
    try {
      taken.push(heap.allocate(sizeBytes, { zero: false }));
    } catch (error) {
      if (!isErrno(error, 'ENOMEM', 'EINVAL')) throw error;
      sizeBytes /= 2;
    }
  }
  return taken;
}
