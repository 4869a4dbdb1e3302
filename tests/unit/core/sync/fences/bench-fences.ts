import type { Clock, Nanoseconds, Task } from '@dmabuf-lab/core/base';
import { type Alarm, Fence, FenceContexts } from '@dmabuf-lab/core/sync';

/** A clock that stands still until a test moves it, with alarms that ring then. */
export class HandClock implements Clock {
  readonly #alarms = new Set<{ readonly atNs: Nanoseconds; readonly ring: () => void }>();
  constructor(public timeNs: Nanoseconds = 1000) {}

  now(): Nanoseconds {
    return this.timeNs;
  }

  readonly alarm: Alarm = (atNs, ring) => {
    const alarm = { atNs, ring };
    this.#alarms.add(alarm);
    return () => this.#alarms.delete(alarm);
  };

  get alarms(): number {
    return this.#alarms.size;
  }

  moveTo(timeNs: Nanoseconds): void {
    this.timeNs = timeNs;
    for (const alarm of [...this.#alarms]) {
      if (alarm.atNs > timeNs || !this.#alarms.delete(alarm)) continue;
      alarm.ring();
    }
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

/** The end of a task under `TaskRunner`. */
export interface Running<T> {
  done: boolean;
  value?: T;
  error?: unknown;
}

/**
 * Runs tasks that wait for replies only: first in, first out; `pick` chooses among those that can go on. With `atOnce` a
 * reply steps its task within the call that replies, as the threads runtime does; else later, as the virtual one does.
 */
export class TaskRunner {
  readonly #ready: (() => void)[] = [];
  constructor(
    private readonly pick: (count: number) => number = () => 0,
    private readonly atOnce = false,
  ) {}

  start<T>(task: Task<T>): Running<T> {
    const running: Running<T> = { done: false };
    this.#ready.push(() => this.#step(task, running, () => task.next()));
    return running;
  }

  /** Until nothing can go on. */
  run(): void {
    while (this.#ready.length > 0) this.#ready.splice(this.pick(this.#ready.length), 1)[0]();
  }

  #step<T>(task: Task<T>, running: Running<T>, advance: () => IteratorResult<unknown, T>): void {
    try {
      const result = advance();
      if (result.done === true) {
        running.done = true;
        running.value = result.value;
      } else this.#await(task, running, result.value);
    } catch (error) {
      running.done = true;
      running.error = error;
    }
  }

  #await<T>(task: Task<T>, running: Running<T>, park: unknown): void {
    const reply = park as { kind: string; start: (settle: object) => void };
    if (reply.kind !== 'reply') throw new Error(`this runner knows no park of kind ${reply.kind}`);
    reply.start({
      resolve: (value: unknown) => this.#go(() => this.#step(task, running, () => task.next(value))),
      reject: (error: Error) => this.#go(() => this.#step(task, running, () => task.throw(error))),
    });
  }

  #go(step: () => void): void {
    if (this.atOnce) step();
    else this.#ready.push(step);
  }
}
