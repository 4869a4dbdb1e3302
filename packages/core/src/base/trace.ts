import type { Nanoseconds } from './brand.js';

/** What happened, for the trace and the reports. A span has a duration; an instant has none. */
export interface TraceEvent {
  /** The track: a device or a buffer, e.g. `gpu` or `buffer camera.out[2]`. */
  readonly track: string;
  /** e.g. `map`, `wait`, `fence`, `move`, `job`. */
  readonly name: string;
  readonly startNs: Nanoseconds;
  /** Absent for an instant. */
  readonly durationNs?: Nanoseconds;
  readonly args?: Readonly<Record<string, string | number | boolean>>;
}

/** The most events that an actor can be told to keep of a life. */
export const MAX_TRACE_CAPACITY = 2 ** 24;

/** Collects the events of one actor. A bounded list: what does not fit is counted, never waited for. */
export class TraceLog {
  readonly events: TraceEvent[] = [];
  dropped = 0;

  readonly capacity: number;

  /** @param capacity events that are kept, at most `MAX_TRACE_CAPACITY` */
  constructor(
    readonly enabled: boolean,
    capacity = 1_000_000,
  ) {
    this.capacity = Math.min(capacity, MAX_TRACE_CAPACITY);
  }

  add(event: TraceEvent): void {
    if (!this.enabled) return;
    if (this.events.length < this.capacity) this.events.push(event);
    else this.dropped += 1;
  }

  /** The events, and if some did not fit, one that says how many, at the time of the last that did. */
  report(): readonly TraceEvent[] {
    if (this.dropped === 0) return this.events;
    const startNs = this.events.at(-1)?.startNs ?? 0;
    const args = { dropped: this.dropped, capacity: this.capacity };
    return [...this.events, { track: 'trace', name: 'events dropped', startNs, args }];
  }
}
