/** Runs the driver under test once in the rig, and looks at what has become of everything. */
import { isErrno, type Nanoseconds } from '../base/index.js';
import type { DeviceReport, Payload, Presence, QueuePolicy } from '../driver/index.js';
import { ActorError, type Fault } from '../runtime/index.js';
import { caseRig } from './case-rig.js';
import { Findings, type FindingsWatch } from './findings.js';
import type { MonitorOptions, PageViews } from './monitor.js';
import { Place } from './place.js';
import type { RigOutcome, RigSpec } from './rig.js';
import type { RuleName } from './rules.js';
import { EndlessRunError, runOnThreads, runVirtually } from './run-rig.js';
import type { Subject } from './subject.js';
import { type SeenFrame, seenIn, type TestSinkParameters } from './test-sink.js';
import type { TestSourceParameters } from './test-source.js';
import { type Followed, followHere, followInWorker, type Stay } from './tested-driver.js';

/** One run. */
export interface Case {
  /** As the report names it: `killed at 14 ms`. */
  readonly name: string;
  /** The rule that is broken when the driver throws; and when the run does not end, or ends too early. */
  readonly throwing: RuleName;
  readonly hanging: RuleName;
  readonly payload?: Payload;
  readonly views?: PageViews;
  readonly poison?: number;
  /** Ticks of each source; absent = 8. */
  readonly frames?: number;
  readonly sources?: Partial<TestSourceParameters>;
  /** For one input alone, in place of `sources`. */
  readonly sourceOf?: Readonly<Record<string, Partial<TestSourceParameters>>>;
  readonly sink?: TestSinkParameters;
  readonly policy?: QueuePolicy;
  readonly depth?: number;
  readonly presence?: readonly Presence[];
  readonly faults?: readonly Fault[];
  readonly stopNs?: Nanoseconds;
  /** Devices that ask for other memory come in the middle. */
  readonly newcomers?: boolean;
  readonly moves?: RigSpec['moves'];
  readonly shortages?: MonitorOptions['shortages'];
  /** Ports that are linked to nothing. */
  readonly unlinked?: readonly string[];
  readonly inputs?: Subject['inputs'];
  readonly durationNs?: Nanoseconds;
  readonly seed?: number;
  readonly ties?: 'fifo' | 'seed';
  /** Names of the devices that the driver drives; absent = one. */
  readonly devices?: readonly string[];
  /** One more device of the same instance comes with other formats: the next stay after a change of the source. */
  readonly change?: { readonly device: string; readonly inputs: Subject['inputs']; readonly fromNs: Nanoseconds };
  /** On threads: the run is told to stop once the driver is at work in this stay of this life; absent = it has its duration. */
  readonly untilAtWork?: { readonly life: number; readonly stay: number };
}

export interface CaseOutcome {
  readonly findings: Findings;
  /** Undefined when the run failed. */
  readonly outcome: RigOutcome | undefined;
  /** What came out, by `device.port`. */
  readonly seen: ReadonlyMap<string, readonly SeenFrame[]>;
  readonly stays: readonly Stay[];
  readonly durationNs: Nanoseconds;
}

export interface RunContext {
  readonly subject: Subject;
  readonly seed: number;
  readonly onCall?: MonitorOptions['onCall'];
  /** Absent: in virtual time. */
  readonly threads?: {
    /** URL of the module whose default export is the driver. */
    readonly module: string;
    /** What a run may take in real time beyond its duration. */
    readonly limitNs: Nanoseconds;
  };
}

/** The device that the driver drives. */
export const TESTED = 'tested';
/** Ticks of each source. */
export const FRAMES = 8;
const FRAME_NS = 10_000_000;
const MOST_INTERVAL_NS = 250_000_000;

/** How long a run lasts: eight frames of the slowest port, or so many. */
export function durationOf({ inputs, plan }: Subject, frames = FRAMES): Nanoseconds {
  const formats = [...Object.values(inputs), ...Object.values(plan.outputs)];
  const intervals = formats.map(({ rate }) => Math.ceil((1e9 * rate.den) / rate.num));
  return frames * Math.min(MOST_INTERVAL_NS, Math.max(FRAME_NS, ...intervals));
}

/** Calls that the driver has made when it is at work, and not just begun. */
const AT_WORK_CALLS = 12;

/** @param watch told at once of what is found, in virtual time; on threads once the run is over */
export async function runCase(context: RunContext, spec: Case, watch?: FindingsWatch): Promise<CaseOutcome> {
  const { subject, seed, threads } = context;
  const findings = new Findings(watch);
  const payload = spec.payload ?? 'stamp';
  const durationNs = spec.durationNs ?? durationOf(subject);
  const followed = await follow(context, spec, payload, findings);
  const rig: RigSpec = {
    ...caseRig(subject, spec, followed.tested, threads?.module),
    ...{ payload, durationNs, faults: spec.faults, stopNs: spec.stopNs, ties: spec.ties, moves: spec.moves },
    seed: spec.seed ?? seed,
  };
  const { life = 0, stay = 0 } = spec.untilAtWork ?? {};
  const isEnough = (): boolean => {
    followed.collect();
    return findings.all.length > 0 || followed.callsSince(life, stay) > AT_WORK_CALLS;
  };
  let outcome: RigOutcome | undefined;
  let failure: unknown;
  try {
    outcome = await (threads === undefined
      ? runVirtually(rig)
      : runOnThreads(rig, { limitNs: threads.limitNs, ...(spec.untilAtWork && { isEnough }) }));
  } catch (error) {
    failure = error;
  }
  followed.collect();
  if (failure !== undefined) explainFailure(failure, spec, followed, findings);
  const seen = outcome === undefined ? new Map<string, SeenFrame[]>() : seenOf(outcome);
  if (outcome !== undefined) checkOutcome(outcome, seen, followed, findings);
  const { stays } = followed;
  const isAskedToEnd = [spec.presence, spec.stopNs, spec.untilAtWork].some((asks) => asks !== undefined);
  if (stays.some(({ tooEarly }) => tooEarly === true) && !isAskedToEnd) {
    findings.add(spec.hanging, 'run returns while its inputs go on');
  }
  return { findings, outcome, seen, stays, durationNs };
}

async function follow(
  { subject, onCall, threads }: RunContext,
  { throwing, hanging, shortages, poison, views = 'detached', faults }: Case,
  payload: Payload,
  findings: Findings,
): Promise<Followed> {
  const options = { views, poison, payload, throwing, hanging, shortages };
  if (threads !== undefined) return followInWorker(threads.module, options, findings);
  const lives = await Promise.all(Array.from({ length: faults === undefined ? 1 : 3 }, () => subject.load()));
  return followHere(lives, { ...options, onCall }, findings);
}

/** The run has failed: who, and in what. */
function explainFailure(error: unknown, spec: Case, followed: Followed, findings: Findings): void {
  const thrown = error instanceof Error ? error : new Error(String(error));
  const isStuck = isErrno(thrown, 'EDEADLK') && thrown.op === 'run';
  if (thrown instanceof EndlessRunError || isStuck) {
    if (findings.all.some(({ rule }) => rule === spec.hanging)) return; // known from the driver's own thread
    const { text, where } = followed.describe();
    const what = `the run does not end: ${thrown.message}${text === '' ? '' : `; ${text}`}`;
    findings.add(spec.hanging, what, { text: where });
    return;
  }
  const cause = thrown instanceof ActorError ? thrown.cause : thrown;
  if (findings.all.length > 0) return; // what follows from a breach that is known
  const place = Place.ofDriver(cause);
  const { text, where } = followed.describe();
  // Of a worker that has exited no stack tells.
  if (place.text !== undefined || text === '') findings.add(spec.throwing, thrown.message, place);
  else findings.add(spec.throwing, `${thrown.message}; ${text}`, { text: where });
}

function seenOf({ devices }: RigOutcome): Map<string, SeenFrame[]> {
  const sinks = [...devices].filter(([name]) => name.startsWith('sink-'));
  return new Map(sinks.map(([name, { artefacts }]) => [name.slice('sink-'.length), seenIn(artefacts)]));
}

function checkOutcome(
  { devices, exporter }: RigOutcome,
  seen: ReadonlyMap<string, readonly SeenFrame[]>,
  followed: Followed,
  findings: Findings,
): void {
  const isBreach = (rule: RuleName): boolean => findings.all.some((one) => one.rule === rule);
  for (const { buffer, devices: names, heap } of exporter.sanitizer) {
    findings.add(
      'memory',
      `pages of ${buffer ?? heap} were written to after they were given back, by ${names.join(', ')}`,
    );
  }
  const left = leftOf(exporter.left, devices);
  if (left.length > 0 && findings.all.length === 0) findings.add('ledger', `${left.join(', ')} are left at the end`);
  for (const [port, frames] of seen) {
    const torn = frames.find(({ good, error }) => !good && error === 0);
    if (torn === undefined || isBreach('seal') || isBreach('fences') || isBreach('memory')) continue;
    findings.add('seal', `frame ${torn.sequence} of ${port} does not hold what was sealed`);
  }
  for (const { outcome, buffer, error } of exporter.moves) {
    const isHeld = outcome === 'timed-out' && error?.holders.some((holder) => holder === TESTED);
    if (!isHeld) continue;
    const { longest } = followed;
    const what = `a move of ${buffer} has waited for the driver in vain: ${error?.message}`;
    findings.add('moves', `${what}; a job of it was open for ${Math.round(longest.ns / 1e6)} ms`, {
      text: longest.where,
    });
  }
}

function leftOf(exporter: RigOutcome['exporter']['left'], devices: ReadonlyMap<string, DeviceReport>): string[] {
  const { by: _, ...counts } = exporter;
  const sums: Record<string, number> = { ...counts };
  for (const { left } of devices.values()) {
    for (const [name, count] of Object.entries(left))
      if (name !== 'frames' && name !== 'mappings') sums[name] = (sums[name] ?? 0) + count;
  }
  return Object.entries(sums).flatMap(([name, count]) => (count === 0 ? [] : [`${count} ${name}`]));
}
