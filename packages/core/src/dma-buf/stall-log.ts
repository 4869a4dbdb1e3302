/** What a device has waited for the storage of its buffers. */
import { type ActorServices, BoundedList, type Nanoseconds } from '../base/index.js';

/** One wait of a device for a buffer's storage. */
export interface Stall {
  readonly buffer: string;
  readonly startNs: Nanoseconds;
  readonly endNs: Nanoseconds;
  /** `moving`: waited for a move, others' or one for this device; `placing`: for the first allocation; `mapping`: a call. */
  readonly why: 'moving' | 'placing' | 'mapping';
}

export class StallLog {
  /** The first `MAX_RECORDS`, one by one. */
  readonly #stalls = new BoundedList<Stall>();
  #movingNs: Nanoseconds = 0;
  #totalNs: Nanoseconds = 0;

  constructor(
    private readonly services: Pick<ActorServices, 'clock' | 'trace'>,
    private readonly device: string,
  ) {}

  get items(): readonly Stall[] {
    return this.#stalls.items;
  }

  /** Stalls that are not kept one by one. */
  get dropped(): number {
    return this.#stalls.dropped;
  }

  /** Sum of those for moves. */
  get movingNs(): Nanoseconds {
    return this.#movingNs;
  }

  /** Sum of all. */
  get totalNs(): Nanoseconds {
    return this.#totalNs;
  }

  /** A stall ends now. One that took no time is none. */
  ended(buffer: string, startNs: Nanoseconds, why: Stall['why']): void {
    const endNs = this.services.clock.now();
    if (endNs <= startNs) return;
    this.#totalNs += endNs - startNs;
    if (why === 'moving') this.#movingNs += endNs - startNs;
    this.#stalls.add({ buffer, startNs, endNs, why });
    const { trace } = this.services;
    if (!trace.enabled) return;
    const span = { name: `stall: ${why}`, startNs, durationNs: endNs - startNs, args: { buffer } };
    trace.add({ track: this.device, ...span });
  }
}
