/** What goes into a run and comes out of it. */
import type { TraceEvent } from '@dmabuf-lab/core/base';
import type { RunResult } from './result.js';

/** Something a device made, to be written to a file. */
export interface RunArtefact {
  /** `picture`: raw RGBA bytes, with width and height; the others are written as they are. */
  readonly kind: 'video' | 'picture' | 'text';
  readonly device: string;
  /** File name without the device, e.g. `video.mp4`, `frame-000297.png`. */
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly widthPixels?: number;
  readonly heightPixels?: number;
  readonly frames?: number;
  /** What encoded a video. */
  readonly backend?: string;
}

export interface RunOutcome {
  readonly result: RunResult;
  /** Empty unless a trace was asked for. */
  readonly trace: readonly TraceEvent[];
  readonly artefacts: readonly RunArtefact[];
}

export interface RunProgress {
  readonly nowNs: number;
  readonly durationNs: number;
  /** What has come to pass so far; absent where nobody counts (`PrepareOptions.counts`). */
  readonly counts?: RunCounts;
}

/** What has come to pass in a run that goes on. */
export interface RunCounts {
  /** Taken from inputs and handed on at outputs, in all lives of all devices. */
  readonly frames: number;
  readonly moves: number;
  readonly deaths: number;
  /** What the result will tell as wrong; what shows only at the end is not among it yet. */
  readonly violations: number;
  /** Fences and mappings that have lasted longer than they may. */
  readonly overdue: number;
}

export interface RunOptions {
  readonly collectTrace: boolean;
  /** Events of the trace that are kept of each device, the first; absent = a million. What is dropped is counted in the trace. */
  readonly traceCapacity?: number;
  readonly onProgress?: (progress: RunProgress) => void;
  /** Whether a run on the virtual clock should look at signals and tell its progress now; asked often. Absent: it does so now and then. */
  readonly isBreakDue?: () => boolean;
  /** Told on the virtual clock whose generator is about to be stepped, at every step; must change nothing. */
  readonly onStep?: (actor: string) => void;
  /** How long a driver waits for a promise of the outside world before that is told, in milliseconds of real time. Absent = 10,000. */
  readonly longWaitMs?: number;
  /** Aborted: the sources stop, the pipeline drains, and the run ends as interrupted. */
  readonly signal?: AbortSignal;
  /** Takes each line that drivers print in threads of their own; absent: it goes to stderr, behind the name of the device. */
  readonly onOutput?: (device: string, line: string) => void;
}
