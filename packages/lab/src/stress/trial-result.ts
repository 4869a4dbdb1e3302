/** What one trial came to: plain data, as it crosses from a worker of the pool. */
import type { HistoryEvent } from '../history/index.js';
import type { StressPlan } from './plan.js';
import type { Site } from './sites.js';
import type { StressLedger } from './stress-exporter.js';

export interface TrialViolation {
  readonly text: string;
  /** Slot of the buffer that it is about. */
  readonly buffer: number | null;
  /** Who found it. */
  readonly actor: string | null;
  /** The shortest part of the buffer's history that explains it, oldest first. */
  readonly history: readonly HistoryEvent[];
}

/** A fence or a mapping that has lasted longer than its limit: as among the incidents of a run of a scenario. */
export interface OverdueIncident {
  readonly kind: 'fence-overdue' | 'mapping-overlong';
  readonly device: string;
  readonly life: number;
  readonly atNs: number;
  readonly sinceNs: number;
  readonly limitNs: number;
  readonly buffers: readonly { readonly buffer: string; readonly generation: number }[];
  readonly held?: true;
  readonly fence?: { readonly timeline: number; readonly seqno: number };
}

/** What has lasted too long in a trial. */
export interface TrialAges {
  readonly overdueCount: number;
  /** The first ones. */
  readonly overdue: readonly OverdueIncident[];
  /** Mappings that nobody could watch, since there was no row left for them. */
  readonly unwatchedMappings: number;
}

/** A device of a pipeline in a trial; all but `deaths` of its last life. */
export interface DeviceTally {
  readonly device: string;
  /** The module as it was given, or the device. */
  readonly driver: string;
  readonly framesIn: number;
  readonly framesOut: number;
  readonly checksPassed: number;
  readonly checksFailed: number;
  readonly deaths: number;
}

/** A site of a trial. */
export interface TrialSite {
  readonly site: Site;
  /** At which share of its visits it was to fire; null = it was not armed. */
  readonly rate: number | null;
  readonly visits: number;
  readonly fired: number;
}

export interface TrialResult {
  readonly seed: number;
  readonly plan: StressPlan;
  /** How long it lasted in model time; on threads that is real time. */
  readonly modelNs: number;
  readonly wallMs: number;
  readonly interrupted: boolean;
  /** Of a pipeline frames taken and handed on, in all lives of its devices. */
  readonly operations: number;
  /** By operation: how many ended well, and then how many with each errno, in the order of ERRORS. */
  readonly counts: readonly (readonly number[])[];
  /** By operation: a histogram. */
  readonly latencies: readonly (readonly number[])[];
  readonly deaths: {
    readonly killed: number;
    readonly hung: number;
    readonly failed: number;
    readonly late: number;
    readonly reclaimed: number;
    readonly restarted: number;
  };
  /** From each death until nothing was left of the dead. */
  readonly reclaimedNs: readonly number[];
  /** The sites, in the order of SITES. */
  readonly sites: readonly TrialSite[];
  readonly moves: { readonly moved: number; readonly refused: number; readonly timedOut: number };
  readonly bytesCopied: number;
  /** Freed bytes that were looked at before they were used again; of a pipeline in the last life of the exporter. */
  readonly freedBytesChecked: number;
  /** What was left at the end; null when the run did not get there. */
  readonly ledger: StressLedger | null;
  readonly ages: TrialAges;
  /** All that were found; `violations` has the first ones. */
  readonly violationCount: number;
  readonly violations: readonly TrialViolation[];
  /** Of the order of events; null on threads. */
  readonly fingerprint: string | null;
  /** Whether it was executed twice and both executions were the same. */
  readonly twice?: boolean;
  /** Of a pipeline of modules: what passed through each device. */
  readonly devices?: readonly DeviceTally[];
}
