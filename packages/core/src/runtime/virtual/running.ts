import type { Nanoseconds, Park, Task } from '../../base/index.js';
import type { VirtualActor } from './virtual-actor.js';

/** A generator with what it waits for. */
export interface Running {
  readonly actor: VirtualActor;
  readonly name: string;
  readonly task: Task<unknown>;
  readonly number: number;
  /** Called with what the task returned. */
  readonly onDone: (value: unknown) => void;
  /** Called with what it threw; absent: the run fails. */
  readonly onError?: (error: Error) => void;
  waiting: Park | undefined;
  /** Since when it waits. */
  waitingSinceNs: Nanoseconds;
  /** The number of the generator that serves the call it waits for; 0 = none is known. */
  servedBy: number;
  /** Grows at each park; an event for an earlier one is void. */
  parks: number;
}
