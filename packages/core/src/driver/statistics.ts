import type { Nanoseconds } from '../base/index.js';
import type { CpuCacheFinding, Stall } from '../dma-buf/index.js';
import { type LatencyReport, LatencySample } from './latency-sample.js';

/** Sequence numbers as ranges, both ends included, in the order in which they came. A range whose last is below its first goes over 2^32. */
export type SequenceRanges = (readonly [first: number, last: number])[];

/** Sequence numbers are 32 bits wide, as in struct v4l2_buffer: after the last comes 0. */
const SEQUENCES = 2 ** 32;

/** How many numbers are in ranges. */
export function countSequences(ranges: SequenceRanges): number {
  return ranges.reduce((sum, [first, last]) => sum + ((last - first + SEQUENCES) % SEQUENCES) + 1, 0);
}

/** Ranges that a log keeps. */
export const MAX_RANGES = 100_000;

/** Collects sequence numbers; consecutive ones cost nothing. Beyond `MAX_RANGES` ranges they are counted only. */
export class SequenceLog {
  readonly #ranges: [number, number][] = [];
  #count = 0;
  #dropped = 0;

  add(sequence: number): void {
    this.#count += 1;
    const last = this.#ranges[this.#ranges.length - 1];
    if (last !== undefined && sequence === (last[1] + 1) % SEQUENCES) last[1] = sequence;
    else if (this.#ranges.length < MAX_RANGES) this.#ranges.push([sequence, sequence]);
    else this.#dropped += 1;
  }

  get count(): number {
    return this.#count;
  }

  /** Numbers that are in no range. */
  get dropped(): number {
    return this.#dropped;
  }

  ranges(): SequenceRanges {
    return this.#ranges.map(([first, last]) => [first, last] as const);
  }
}

/** A file-like thing that a device made: an image, a video. */
export interface Artefact {
  readonly kind: 'video' | 'picture' | 'text';
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly widthPixels?: number;
  readonly heightPixels?: number;
  readonly frames?: number;
  readonly backend?: string;
}

/** What happened on a link, as its ends saw it. */
export interface LinkReport {
  readonly delivered: number;
  readonly latencies: LatencyReport;
}

/** What was dropped on a link by its producer. */
export interface LinkDrops {
  readonly count: number;
  readonly sequences: SequenceRanges;
}

/** What a driver's actor reports at the end: plain data. */
export interface DeviceReport {
  readonly framesIn: number;
  readonly framesOut: number;
  readonly framesDropped: number;
  readonly droppedSequences: SequenceRanges;
  readonly serviceNs: Nanoseconds;
  readonly fenceWaitNs: Nanoseconds;
  readonly stalls: readonly Stall[];
  /** Of all stalls that say `moving`. */
  readonly movingNs: Nanoseconds;
  readonly counters: Readonly<Record<string, number>>;
  readonly sequences: Readonly<Record<string, SequenceRanges>>;
  /** By what the latency ends with: `display`, `bitstream`. From the capture of the frame. */
  readonly latencies: Readonly<Record<string, LatencyReport>>;
  /** By link index. */
  readonly linksIn: Readonly<Record<number, LinkReport>>;
  readonly linkDrops: Readonly<Record<number, LinkDrops>>;
  readonly pools: Readonly<Record<string, { readonly heldNs: Nanoseconds; readonly buffers: number }>>;
  readonly artefacts: readonly Artefact[];
  /** What missing SYNCs have done; absent for a device that is no program on a CPU without coherent caches. */
  readonly cpuFindings?: readonly CpuCacheFinding[];
  /** How many records did not fit into the lists above. */
  readonly dropped: { readonly stalls: number; readonly sequences: number };
  /** What is left, which ought to be nothing. */
  readonly left: {
    readonly pendingFences: number;
    readonly iovaRanges: number;
    readonly frames: number;
    readonly mappings: number;
    readonly faults: number;
  };
}

/** Collects what a driver reports. */
export class DeviceStatistics {
  framesIn = 0;
  framesOut = 0;
  serviceNs = 0;
  fenceWaitNs = 0;
  readonly dropped = new SequenceLog();
  readonly counters = new Map<string, number>();
  readonly sequences = new Map<string, SequenceLog>();
  readonly latencies = new Map<string, LatencySample>();
  readonly artefacts: Artefact[] = [];

  /** A frame was taken from an input. */
  tookFrame(): void {
    this.framesIn += 1;
  }

  /** A frame was handed on at an output. */
  madeFrame(): void {
    this.framesOut += 1;
  }

  count(name: string, by = 1): void {
    this.counters.set(name, (this.counters.get(name) ?? 0) + by);
  }

  sequence(name: string, sequence: number): void {
    let log = this.sequences.get(name);
    if (log === undefined) {
      log = new SequenceLog();
      this.sequences.set(name, log);
    }
    log.add(sequence);
  }

  latency(name: string, ns: Nanoseconds): void {
    const sample = this.latencies.get(name) ?? new LatencySample();
    this.latencies.set(name, sample);
    sample.add(ns);
  }
}
