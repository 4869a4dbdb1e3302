import type { EventClass, Nanoseconds } from '../../base/index.js';

/** An event of model time. Ordered by (time, class, tie, first in first out). */
export interface TimedEvent {
  readonly timeNs: Nanoseconds;
  readonly eventClass: EventClass;
  /** 0, or a random number when ties are to be permuted. */
  readonly tie: number;
  /** Order of scheduling. */
  order: number;
}

/** A binary heap of events. */
export class EventQueue<E extends TimedEvent> {
  readonly #heap: E[] = [];
  #scheduled = 0;

  get size(): number {
    return this.#heap.length;
  }

  /** The event that comes next. */
  peek(): E | undefined {
    return this.#heap[0];
  }

  push(event: E): void {
    event.order = this.#scheduled;
    this.#scheduled += 1;
    const heap = this.#heap;
    let child = heap.length;
    heap.push(event);
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (!isBefore(event, heap[parent])) break;
      heap[child] = heap[parent];
      child = parent;
    }
    heap[child] = event;
  }

  pop(): E | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || last === first) return first;
    let parent = 0;
    const half = heap.length >> 1;
    while (parent < half) {
      let child = 2 * parent + 1;
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child += 1;
      if (!isBefore(heap[child], last)) break;
      heap[parent] = heap[child];
      parent = child;
    }
    heap[parent] = last;
    return first;
  }
}

function isBefore(a: TimedEvent, b: TimedEvent): boolean {
  if (a.timeNs !== b.timeNs) return a.timeNs < b.timeNs;
  if (a.eventClass !== b.eventClass) return a.eventClass < b.eventClass;
  if (a.tie !== b.tie) return a.tie < b.tie;
  return a.order < b.order;
}
