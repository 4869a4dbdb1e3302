/** Puts the reports of all actors together into one result. */
import type { AtomicWords, TraceEvent } from '@dmabuf-lab/core/base';
import { type AgeWatch, EXPORTER } from '@dmabuf-lab/core/dma-buf';
import { type DeviceReport, NO_LATENCIES, type RowWatch, type SequenceRanges } from '@dmabuf-lab/core/driver';
import type { RunReport } from '@dmabuf-lab/core/runtime';
import { HistoryWords, historyReport } from '../history/index.js';
import {
  describeLatencies,
  evaluateExpectations,
  type RunArtefact,
  type RunOutcome,
  type RunResult,
} from '../result/index.js';
import { ageIncidents } from './age-limits.js';
import { type HistoryOfBuffer, historyOfBuffers } from './buffer-history.js';
import {
  allocationResults,
  attachResults,
  bufferResults,
  cpuCacheResults,
  hazardResults,
  heapResults,
  prematureMaps,
} from './buffer-results.js';
import type { ExporterReport } from './exporter-actor.js';
import { leaksOf } from './leaks.js';
import { lockOrdersOf } from './lock-orders.js';
import { endpoint } from './pipeline.js';
import type { PreparedRun } from './prepare.js';
import { rowDamages } from './row-damages.js';
import { unrecorded } from './unrecorded.js';

/** Of a device that was dead at the end: what it knew went with it. */
const NO_REPORT: DeviceReport = {
  framesIn: 0,
  framesOut: 0,
  framesDropped: 0,
  droppedSequences: [],
  serviceNs: 0,
  fenceWaitNs: 0,
  stalls: [],
  movingNs: 0,
  counters: {},
  sequences: {},
  latencies: {},
  linksIn: {},
  linkDrops: {},
  pools: {},
  artefacts: [],
  dropped: { stalls: 0, sequences: 0 },
  left: { pendingFences: 0, iovaRanges: 0, frames: 0, mappings: 0, faults: 0 },
};

/** What a run has left beside the reports of its actors. */
export interface RunRemains {
  /** Its control memory. */
  readonly words: AtomicWords;
  readonly interrupted: boolean;
  /** What was looked at for its age; absent = nothing. */
  readonly ages: Pick<AgeWatch, 'overdue' | 'unwatched' | 'dropped'> | undefined;
  /** Rows whose guard words were overwritten. */
  readonly rows: Pick<RowWatch, 'damages'>;
}

export function buildOutcome(
  prepared: PreparedRun,
  run: RunReport,
  { words, interrupted, ages, rows }: RunRemains,
): RunOutcome {
  const { scenario, drivers } = prepared;
  const exporter = run.outcomes.find(({ name }) => name === EXPORTER)?.report as ExporterReport;
  const devices = new Map<string, DeviceReport>();
  for (const name of Object.keys(drivers)) {
    const outcome = run.outcomes.find((candidate) => candidate.name === name);
    if (outcome !== undefined) devices.set(name, (outcome.report as DeviceReport | undefined) ?? NO_REPORT);
  }
  const leaks = leaksOf(exporter, devices);
  const lockOrders = lockOrdersOf(prepared, words, exporter);
  const historyOf = historyOfBuffers(prepared.history, exporter, namesOf(prepared));
  const unfinished: RunResult = {
    version: 1,
    scenario: scenario.name,
    ...(scenario.description !== undefined && { description: scenario.description }),
    runtime: scenario.runtime,
    pace: scenario.pace,
    payload: scenario.payload,
    seed: scenario.seed,
    ties: scenario.ties,
    durationNs: scenario.duration,
    endNs: run.endNs,
    endedBy: interrupted ? 'interrupted' : 'duration',
    fingerprint: run.fingerprint,
    devices: Object.fromEntries([...devices].map(([name, report]) => [name, deviceResult(drivers[name], report)])),
    links: linkResults(prepared, devices),
    latency: latencies(prepared, devices),
    buffers: bufferResults(exporter, devices),
    attaches: attachResults(exporter),
    hazards: [...prepared.findings, ...hazardResults(exporter), ...cpuCacheResults(exporter, devices)],
    prematureMaps: prematureMaps(exporter),
    heaps: heapResults(exporter),
    allocations: allocationResults(exporter),
    pools: [...devices.values()].flatMap(({ pools }) =>
      Object.entries(pools).map(([name, pool]) => ({ name, ...pool })),
    ),
    incidents: incidents(run, [
      ...ageIncidents(ages?.overdue ?? [], prepared, exporter),
      ...(lockOrders?.incidents ?? []),
    ]),
    ...(ages !== undefined && ages.unwatched > 0 && { unwatchedMappings: ages.unwatched }),
    ...(lockOrders !== undefined && lockOrders.lost > 0 && { unwatchedLockOrders: lockOrders.lost }),
    ...unrecorded(exporter, devices, run, ages?.dropped ?? 0),
    bytesCopied: exporter.bytesCopied,
    moves: exporter.tally.moved,
    controlCalls: Object.values(run.controlCalls).reduce((sum, count) => sum + count, 0),
    controlCallsByMethod: sorted(run.controlCalls),
    ...brokenMessages(exporter, run),
    ...corruptions(exporter, rowDamages(rows.damages, prepared, exporter), historyOf),
    ...sanitizer(exporter, historyOf),
    ...historyOfRun(prepared, run),
    ledger: ledger(exporter, devices),
    ...(leaks.length > 0 && { leaks }),
    artefacts: [],
    expectations: [],
  };
  const result = { ...unfinished, expectations: evaluateExpectations(scenario.expect, unfinished) };
  const trace: TraceEvent[] = run.outcomes.flatMap((outcome) => outcome.trace);
  trace.sort((a, b) => a.startNs - b.startNs);
  return { result, trace, artefacts: artefacts(devices) };
}

/** Those of lives and those that somebody watched for, in order of time. */
function incidents(run: RunReport, watched: RunResult['incidents']): RunResult['incidents'] {
  const lives = run.incidents.map(({ actor, ...incident }) => ({ device: actor, ...incident }));
  return [...lives, ...watched].sort((a, b) => a.atNs - b.atNs);
}

function deviceResult(driver: string, report: DeviceReport): RunResult['devices'][string] {
  const { framesIn, framesOut, framesDropped, droppedSequences, serviceNs, fenceWaitNs, stalls, movingNs } = report;
  return {
    driver,
    framesIn,
    framesOut,
    framesDropped,
    droppedSequences: pairs(droppedSequences),
    serviceNs,
    stallNs: movingNs,
    fenceWaitNs,
    stalls: stalls.map((stall) => ({ ...stall })),
    counters: sorted(report.counters),
    sequences: Object.fromEntries(Object.entries(report.sequences).map(([name, ranges]) => [name, pairs(ranges)])),
  };
}

function linkResults({ scenario, links }: PreparedRun, devices: ReadonlyMap<string, DeviceReport>): RunResult['links'] {
  return scenario.links.map(({ from, to, policy, depth }, index) => {
    const consumer = devices.get(endpoint(to).device)?.linksIn[index];
    const dropped = devices.get(endpoint(from).device)?.linkDrops[index];
    return {
      from,
      to,
      policy,
      depth: depth ?? links[index].pool.limit,
      delivered: consumer?.delivered ?? 0,
      dropped: dropped?.count ?? 0,
      droppedSequences: pairs(dropped?.sequences ?? []),
      latency: describeLatencies(consumer?.latencies ?? NO_LATENCIES),
    };
  });
}

/** End to end: from the source that feeds a device, along the links, to where its frames arrive. */
function latencies(prepared: PreparedRun, devices: ReadonlyMap<string, DeviceReport>): RunResult['latency'] {
  return [...devices].flatMap(([to, report]) =>
    Object.entries(report.latencies).map(([what, sample]) => ({
      from: sourceOf(prepared, to),
      to,
      what,
      ...describeLatencies(sample),
    })),
  );
}

function sourceOf(prepared: PreparedRun, device: string): string {
  const link = prepared.scenario.links.find(({ to }) => endpoint(to).device === device);
  return link === undefined ? device : sourceOf(prepared, endpoint(link.from).device);
}

function ledger(exporter: ExporterReport, devices: ReadonlyMap<string, DeviceReport>): RunResult['ledger'] {
  const { buffers, attachments, mappings, frames } = exporter.left;
  const bytes = exporter.heaps.reduce((sum, heap) => sum + heap.usedBytes, 0);
  const left = { pendingFences: 0, iovaRanges: 0, frames, faults: 0 };
  for (const device of devices.values()) {
    left.pendingFences += device.left.pendingFences;
    left.iovaRanges += device.left.iovaRanges;
    left.faults += device.left.faults;
  }
  const entries = { buffers, bytes, attachments, mappings, ...left };
  return { ...entries, empty: Object.values(entries).every((count) => count === 0) };
}

/** Those that the exporter was sent, then those that the runtime was. */
function brokenMessages(exporter: ExporterReport, run: RunReport): Pick<RunResult, 'brokenMessages'> {
  const records = [...exporter.brokenMessages, ...run.brokenMessages];
  if (records.length === 0) return {};
  return { brokenMessages: records.map(({ actor, ...record }) => ({ device: actor, ...record })) };
}

/** Those that the exporter has found and those of the tables that it does not look at, in order of time. */
function corruptions(
  { corruptions: records }: ExporterReport,
  rows: NonNullable<RunResult['corruptions']>,
  historyOf: HistoryOfBuffer,
): Pick<RunResult, 'corruptions'> {
  const own = records.map((record) => {
    const { buffer, devices, seenNs } = record;
    return { ...record, devices: [...devices], ...historyOf(buffer, devices, seenNs) };
  });
  const all = [...own, ...rows];
  return all.length === 0 ? {} : { corruptions: all.sort((a, b) => a.seenNs - b.seenNs) };
}

function sanitizer({ sanitizer: report }: ExporterReport, historyOf: HistoryOfBuffer): Pick<RunResult, 'sanitizer'> {
  if (report === undefined) return {};
  const findings = report.findings.map((finding) => ({
    ...finding,
    generations: [...finding.generations],
    devices: [...finding.devices],
    ...historyOf(finding.buffer, finding.devices, finding.freedNs),
  }));
  return { sanitizer: { ...report, findings } };
}

function historyOfRun(prepared: PreparedRun, { incidents }: RunReport): Pick<RunResult, 'history'> {
  const { history } = prepared;
  if (history === undefined) return {};
  const nameOf = namesOf(prepared);
  const hasDied = (actor: number, life: number): boolean =>
    incidents.some((one) => one.kind === 'died' && one.actor === nameOf(actor) && one.life >= life);
  const { violations, ...counts } = historyReport(new HistoryWords(history), nameOf, hasDied);
  return { history: { ...counts, violations: violations.map((one) => ({ ...one, history: [...one.history] })) } };
}

/** What the actor of a number is called. */
export function namesOf({ actors }: PreparedRun): (actor: number) => string {
  const names = new Map(actors.map(({ id, name }): [number, string] => [id, name]));
  return (actor) => names.get(actor) ?? `actor ${actor}`;
}

function artefacts(devices: ReadonlyMap<string, DeviceReport>): RunArtefact[] {
  return [...devices].flatMap(([device, report]) => report.artefacts.map((artefact) => ({ device, ...artefact })));
}

function sorted(counters: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(counters).sort(([a], [b]) => (a < b ? -1 : 1)));
}

const pairs = (ranges: SequenceRanges): [number, number][] => ranges.map(([first, last]) => [first, last]);
