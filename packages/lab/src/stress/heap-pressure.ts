/** Somebody else takes a share of a heap for random times. */
import { isErrno, type RandomStream, sleepUntil, type Task } from '@dmabuf-lab/core/base';
import type { DmaHeap, HeapAllocation } from '@dmabuf-lab/core/dma-buf';
import { PAGE_SIZE } from '@dmabuf-lab/core/memory';
import type { ActorHost } from '@dmabuf-lab/core/runtime';

export interface Pressure {
  /** Of the heap's size, 0 to 1. */
  readonly share: number;
  /** Mean time for which it is taken, and mean time between. */
  readonly meanNs: number;
  /** When the run stops causing faults. */
  readonly untilNs: number;
}

/** Takes up to the share in pieces of random size, holds it, gives it back, and so on until the time is over. */
export function* pressHeap(host: ActorHost, heap: DmaHeap, { share, meanNs, untilNs }: Pressure): Task<void> {
  const random = host.random(`pressure ${heap.name}`);
  const isOver = (): boolean => host.words.load(host.stopWord) !== 0 || host.clock.now() >= untilNs;
  while (!isOver()) {
    const taken = takeShare(heap, share, random);
    yield* pause(host, meanNs, random);
    for (const allocation of taken) heap.ops.release(allocation);
    yield* pause(host, meanNs, random);
  }
}

function* pause(host: ActorHost, meanNs: number, random: RandomStream): Task<void> {
  yield* sleepUntil(host.clock.now() + Math.ceil(random.exponential(meanNs)), 'memory pressure');
}

function takeShare(heap: DmaHeap, share: number, random: RandomStream): HeapAllocation[] {
  const taken: HeapAllocation[] = [];
  let leftBytes = heap.stats().sizeBytes * share;
  while (leftBytes >= PAGE_SIZE) {
    const pages = Math.min(Math.floor(leftBytes / PAGE_SIZE), 1 + random.integer(16));
    try {
      taken.push(heap.allocate(pages * PAGE_SIZE, { zero: false }));
    } catch (error) {
      if (!isErrno(error, 'ENOMEM')) throw error;
      if (pages === 1) break;
    }
    leftBytes -= pages * PAGE_SIZE;
  }
  return taken;
}
