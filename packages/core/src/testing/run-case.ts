/** Runs the driver under test once in the rig, and looks at what has become of everything. */
import { isErrno, type Nanoseconds } from '../base/index.js';
import {
  type AnyDriver,
  type DeviceReport,
  type FrameFormat,
  type LinkShape,
  type Payload,
  type Presence,
  planDriver,
  type QueuePolicy,
} from '../driver/index.js';
import { ActorError, type Fault } from '../runtime/index.js';
import type { Stay } from './checked-driver.js';
import { Findings } from './findings.js';
import { Monitor, type MonitorOptions, type PageViews } from './monitor.js';
import { Place } from './place.js';
import { EndlessRunError, type RigDevice, type RigOutcome, type RigSpec, runRig } from './rig.js';
import type { RuleName } from './rules.js';
import type { Subject } from './subject.js';
import { type SeenFrame, seenIn, type TestSinkParameters, testSink } from './test-sink.js';
import { type TestSourceParameters, testSource } from './test-source.js';

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
}

/** The device that the driver drives. */
export const TESTED = 'tested';
const FRAMES = 8;
const FRAME_NS = 10_000_000;
const MOST_INTERVAL_NS = 250_000_000;
const NEWCOMER_NS = 25_000_000;

/** How long a run lasts: eight frames of the slowest port, or so many. */
export function durationOf({ inputs, plan }: Subject, frames = FRAMES): Nanoseconds {
  const formats = [...Object.values(inputs), ...Object.values(plan.outputs)];
  const intervals = formats.map(({ rate }) => Math.ceil((1e9 * rate.den) / rate.num));
  return frames * Math.min(MOST_INTERVAL_NS, Math.max(FRAME_NS, ...intervals));
}

export async function runCase({ subject, seed, onCall }: RunContext, spec: Case): Promise<CaseOutcome> {
  const findings = new Findings();
  const stays: Stay[] = [];
  const monitors: Monitor[] = [];
  const payload = spec.payload ?? 'stamp';
  const durationNs = spec.durationNs ?? durationOf(subject);
  const lives = await Promise.all(Array.from({ length: spec.faults === undefined ? 1 : 3 }, () => subject.load()));
  const begin = (life: number): { driver: AnyDriver; monitor: Monitor } => {
    const { throwing, hanging, shortages, poison, views = 'detached' } = spec;
    const monitor = new Monitor(findings, { views, poison, payload, throwing, hanging, shortages, onCall });
    monitors.push(monitor);
    return { driver: lives[Math.min(life, lives.length - 1)], monitor };
  };
  const rig = rigOf(subject, spec, { begin, stays });
  let outcome: RigOutcome | undefined;
  try {
    outcome = await runRig({
      ...rig,
      ...{ payload, durationNs, faults: spec.faults, stopNs: spec.stopNs, ties: spec.ties, moves: spec.moves },
      seed: spec.seed ?? seed,
    });
  } catch (error) {
    explainFailure(error, spec, monitors, findings);
  }
  const seen = outcome === undefined ? new Map<string, SeenFrame[]>() : seenOf(outcome);
  if (outcome !== undefined) checkOutcome(outcome, seen, monitors, findings);
  if (stays.some(({ tooEarly }) => tooEarly === true) && spec.presence === undefined && spec.stopNs === undefined) {
    findings.add(spec.hanging, 'run returns while its inputs go on');
  }
  return { findings, outcome, seen, stays, durationNs };
}

/** Sources, the driver's devices, and sinks. */
function rigOf(
  subject: Subject,
  spec: Case,
  runs: RigDevice['runs'],
): { readonly devices: RigDevice[]; readonly links: LinkShape[] } {
  const { driver, parameters } = subject;
  const isLinked = (port: string): boolean => spec.unlinked?.includes(port) !== true;
  const inputs = Object.entries(spec.inputs ?? subject.inputs).filter(([port]) => isLinked(port));
  const { outputs, forwards } = planDriver(driver, parameters, Object.fromEntries(inputs));
  const { policy = 'block', depth } = spec;
  const devices: RigDevice[] = [];
  const links: LinkShape[] = [];
  const link = (from: string, to: string, by: QueuePolicy): void => {
    links.push({ from, to, policy: by, ...(depth !== undefined && { depth }) });
  };
  const newcomer = (from: string): void => {
    if (spec.newcomers !== true) return;
    const name = `newcomer-${from.replace('.', '-')}`;
    const presence = [{ fromNs: NEWCOMER_NS }];
    devices.push({ name, runs: testSink, parameters: {}, outputs: {}, contiguous: true, presence });
    link(from, `${name}.in`, 'block');
  };
  for (const name of spec.devices ?? [TESTED]) {
    for (const [port, format] of inputs) {
      const source = `source-${name}-${port}`;
      const own = { frames: spec.frames ?? FRAMES, ...spec.sources, ...spec.sourceOf?.[port] };
      const given = testSource.parameters.parse({ format, ...own });
      devices.push({ name: source, runs: testSource, parameters: given, outputs: { out: format } });
      link(`${source}.out`, `${name}.${port}`, 'block');
      newcomer(`${source}.out`);
    }
    const wanted = Object.fromEntries(Object.entries(outputs).filter(([port]) => isLinked(port)));
    devices.push({
      name,
      runs,
      parameters,
      outputs: wanted,
      forwards: pick(forwards, wanted),
      ...traitsOf(subject, spec),
    });
    for (const port of Object.keys(wanted)) {
      const sink = `sink-${name}-${port}`;
      const given = testSink.parameters.parse(spec.sink ?? {});
      devices.push({ name: sink, runs: testSink, parameters: given, outputs: {} });
      link(`${name}.${port}`, `${sink}.in`, policy);
      if (forwards[port] === undefined) newcomer(`${name}.${port}`);
    }
  }
  return { devices, links };
}

function pick(forwards: Readonly<Record<string, string>>, wanted: Readonly<Record<string, FrameFormat>>) {
  return Object.fromEntries(Object.entries(forwards).filter(([port]) => wanted[port] !== undefined));
}

function traitsOf({ driver, parameters }: Subject, { presence }: Case): Partial<RigDevice> {
  const { memory, importer } = driver;
  const sizeBytes = memory?.sizeBytes(parameters as never) ?? 0;
  return {
    ...(presence && { presence }),
    ...(importer && { importer }),
    ...(memory &&
      sizeBytes > 0 && { memory: { sizeBytes, open: (place) => memory.openHeap(place, parameters as never) } }),
  };
}

/** The run has failed: who, and in what. */
function explainFailure(error: unknown, spec: Case, monitors: readonly Monitor[], findings: Findings): void {
  const thrown = error instanceof Error ? error : new Error(String(error));
  const isStuck = isErrno(thrown, 'EDEADLK') && thrown.op === 'run';
  if (thrown instanceof EndlessRunError || isStuck) {
    const last = monitors[monitors.length - 1];
    const waits = last?.describeWaits() ?? [];
    const who = waits.length === 0 ? '' : `; the driver waits in ${waits.join(', ')}`;
    findings.add(spec.hanging, `the run does not end: ${thrown.message}${who}`, last?.waitPlace);
    return;
  }
  const cause = thrown instanceof ActorError ? thrown.cause : thrown;
  if (findings.all.length > 0) return; // what follows from a breach that is known
  findings.add(spec.throwing, thrown.message, Place.ofDriver(cause));
}

function seenOf({ devices }: RigOutcome): Map<string, SeenFrame[]> {
  const sinks = [...devices].filter(([name]) => name.startsWith('sink-'));
  return new Map(sinks.map(([name, { artefacts }]) => [name.slice('sink-'.length), seenIn(artefacts)]));
}

function checkOutcome(
  { devices, exporter }: RigOutcome,
  seen: ReadonlyMap<string, readonly SeenFrame[]>,
  monitors: readonly Monitor[],
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
    const [{ longest }] = monitors;
    const what = `a move of ${buffer} has waited for the driver in vain: ${error?.message}`;
    findings.add('moves', `${what}; a job of it was open for ${Math.round(longest.ns / 1e6)} ms`, longest.place);
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
