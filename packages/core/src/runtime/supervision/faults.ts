/** What may be done to an actor on purpose, and what became of actors: plain data. */
import type { Nanoseconds } from '../../base/index.js';
import type { RestartLimits } from './restart-policy.js';

/** Something done to an actor at an instant. */
export type Fault =
  /** It dies between two steps, as by SIGKILL: not even a `finally` runs. */
  | { readonly kind: 'kill'; readonly actor: string; readonly atNs: Nanoseconds }
  /** It never does anything again, and never says so. */
  | { readonly kind: 'hang'; readonly actor: string; readonly atNs: Nanoseconds }
  /** It is not scheduled for a while, as by SIGSTOP or a long garbage collection. */
  | { readonly kind: 'pause'; readonly actor: string; readonly atNs: Nanoseconds; readonly forNs: Nanoseconds }
  /** It is ended if it runs, and started again. */
  | { readonly kind: 'restart'; readonly actor: string; readonly atNs: Nanoseconds };

/** How deaths are dealt with. */
export interface Supervision {
  /** Absent: the dead stay dead. */
  readonly restart?: RestartLimits;
  /** Whether an actor that throws is dead and the others go on; absent = only where the dead are restarted, else the run ends. */
  readonly toleratesFailures?: boolean;
  /** An actor that does nothing for so long is reported as late, and left alone. */
  readonly lateNs: Nanoseconds;
  /** An actor that does nothing for so long is ended, and dead from then on; Infinity: never. */
  readonly hungNs: Nanoseconds;
}

export const DEFAULT_SUPERVISION: Supervision = { lateNs: 1_000_000_000, hungNs: 10_000_000_000 };

/** Why an actor died. `overdue`: it had not ended by the deadline after the end of the scenario. */
export type DeathCause = 'killed' | 'hung' | 'failed' | 'stopped' | 'overdue';

/** Something that happened to the life of an actor, or to several that wait for each other. */
export interface Incident {
  readonly kind: 'died' | 'late' | 'reclaimed' | 'restarted' | 'gave-up' | 'deadlock';
  /** Of a deadlock: one of those in it. */
  readonly actor: string;
  readonly atNs: Nanoseconds;
  /** How many times it had died before. */
  readonly life: number;
  /** Of a death. */
  readonly cause?: DeathCause;
  /** Of a deadlock: who waits for what of whom, back to the first. Of a death: what is known of it. */
  readonly why?: string;
  /** Of `late`: since when it has done nothing. */
  readonly sinceNs?: Nanoseconds;
  /** Of `reclaimed`: from the death until nothing was left of it. */
  readonly tookNs?: Nanoseconds;
}
