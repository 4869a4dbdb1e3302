/**
 * Latencies, in a bounded place: all of them as long as they fit, then a sample of fixed size.
 *
 * Which are in the sample is told by a hash of their numbers: those whose hash is below a limit, which is halved whenever the
 * sample is full. So it is the same in each run, and follows no rhythm of the frames, as every second one would. Count, sum,
 * least and most are of all.
 */
import type { Nanoseconds } from '../base/index.js';

/** Latencies of one kind that are kept: an hour of 60 frames a second is 216,000. */
export const MAX_LATENCIES = 262_144;

/** Latencies as they are reported: plain data. */
export interface LatencyReport {
  /** All of them, or a sample; in order of time. */
  readonly sampleNs: readonly Nanoseconds[];
  readonly count: number;
  readonly sumNs: Nanoseconds;
  /** 0 when there is none. */
  readonly minNs: Nanoseconds;
  readonly maxNs: Nanoseconds;
}

/** Above every hash. */
const WHOLE = 2 ** 32;

export const NO_LATENCIES: LatencyReport = { sampleNs: [], count: 0, sumNs: 0, minNs: 0, maxNs: 0 };

export class LatencySample {
  #values: Nanoseconds[] = [];
  /** Which ones they are, from 0; empty while all are kept. */
  #numbers: number[] = [];
  #limit = WHOLE;
  #count = 0;
  #sumNs = 0;
  #minNs = Number.POSITIVE_INFINITY;
  #maxNs = 0;

  /** @param capacity latencies that are kept, at most */
  constructor(private readonly capacity = MAX_LATENCIES) {}

  add(ns: Nanoseconds): void {
    const number = this.#count;
    this.#count += 1;
    this.#sumNs += ns;
    this.#minNs = Math.min(this.#minNs, ns);
    this.#maxNs = Math.max(this.#maxNs, ns);
    if (this.#values.length >= this.capacity && this.#isWanted(number)) this.#thin();
    if (!this.#isWanted(number) || this.#values.length >= this.capacity) return;
    this.#values.push(ns);
    if (!this.#isWhole) this.#numbers.push(number);
  }

  report(): LatencyReport {
    if (this.#count === 0) return NO_LATENCIES;
    return { sampleNs: this.#values, count: this.#count, sumNs: this.#sumNs, minNs: this.#minNs, maxNs: this.#maxNs };
  }

  get #isWhole(): boolean {
    return this.#limit === WHOLE;
  }

  #isWanted(number: number): boolean {
    return this.#isWhole || hashOf(number) < this.#limit;
  }

  #thin(): void {
    const numbers = this.#isWhole ? this.#values.map((_, i) => i) : this.#numbers;
    this.#limit /= 2;
    const kept = numbers.map((number) => hashOf(number) < this.#limit);
    this.#values = this.#values.filter((_, i) => kept[i]);
    this.#numbers = numbers.filter((_, i) => kept[i]);
  }
}

/** A number of 32 bits that looks like chance. Source: the finalizer of MurmurHash3. */
function hashOf(number: number): number {
  let bits = number | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85eb_ca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2_ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}
