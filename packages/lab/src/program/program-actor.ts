/** The actor that a program runs in: a kernel, and a process of it. */
import { ErrnoError, external, type Task, wordIndex } from '@dmabuf-lab/core/base';
import type { CpuCacheCost, DmaBufFinding, DmaBufRulesOptions } from '@dmabuf-lab/core/dma-buf';
import type { Payload, SequenceRanges } from '@dmabuf-lab/core/driver';
import type { ActorHost } from '@dmabuf-lab/core/runtime';
import {
  noteLeaks,
  Process,
  ProcessKilled,
  programCallSites,
  type SimulatedKernel,
  type SocDevice,
} from '@dmabuf-lab/uapi';
import { importCopy } from '../loader/instance-module.js';
import { addScenarioNodes, startProgramMachine } from '../machine/index.js';
import type { RunArtefact } from '../result/index.js';
import type { ProgramDevice } from './scenario-devices.js';

/** What a module of a program exports as `main`. */
export type ProgramMain = (process: Process, kernel: SimulatedKernel) => Task<unknown>;

/** How the machine of a program behaves. */
export interface ProgramOptions extends DmaBufRulesOptions {
  /** Devices do not see what is in the cache of the CPU, nor the CPU what they write past it. Default: they do. */
  readonly nonCoherent?: boolean;
  /** `virtual`: on a virtual clock, the same each time. `threads`: at real pace, in a thread. Default `virtual`. */
  readonly runtime?: 'threads' | 'virtual';
  /** Model time after which a program that has not ended is stopped. Default {@link PROGRAM_LIMIT_NS}. */
  readonly limitNs?: number;
}

/** A minute of model time. */
export const PROGRAM_LIMIT_NS = 60_000_000_000;

/** Plain data of the actor. */
export interface ProgramActorData {
  /** URL of the module. */
  readonly module: string;
  readonly changedWord: number;
  readonly options: ProgramOptions;
  /** Of a scenario, behind nodes of their own. */
  readonly devices: readonly ProgramDevice[];
  readonly payload: Payload;
}

/** What a device of the scenario has done for the program. */
export interface ProgramDeviceReport {
  readonly name: string;
  readonly path: string;
  readonly counters: Readonly<Record<string, number>>;
  readonly sequences: Readonly<Record<string, SequenceRanges>>;
  readonly dropped: SequenceRanges;
  /** What its driver has thrown; each time the stream failed. */
  readonly failures: readonly { readonly timeNs: number; readonly message: string }[];
}

const NS_PER_S = 1e9;

/** What the actor reports: timers of the kernel may outlive the program. */
export interface ProgramReport {
  readonly result: unknown;
  readonly endNs: number;
  /** Violations that Linux does not check. */
  readonly findings: readonly DmaBufFinding[];
  /** What cache maintenance has cost; absent on a coherent machine. */
  readonly cache?: CpuCacheCost;
  /** Devices of the scenario; absent without one. */
  readonly devices?: readonly ProgramDeviceReport[];
}

/** What the actor gives back: the report, and what devices have left for the user. */
export interface ProgramOutcome {
  readonly report: ProgramReport;
  readonly artefacts: readonly RunArtefact[];
}

export function* program(host: ActorHost, data: ProgramActorData): Task<ProgramOutcome> {
  const module = yield* external(import(data.module) as Promise<{ main: ProgramMain }>, 'the module of the program');
  const nodes = [];
  for (const { module: url, ...node } of data.devices) {
    const copy = importCopy(url, host.life, data.options.runtime ?? 'virtual');
    const driver = yield* external(copy, `the driver of ${node.name}`);
    if (driver === undefined) throw new ErrnoError('ENOENT', 'load', `Cannot start ${node.name}: ${url} is no driver`);
    nodes.push({ ...node, driver });
  }
  yield* host.ready();
  const { nonCoherent = false, runtime = 'virtual', limitNs = PROGRAM_LIMIT_NS, ...rules } = data.options;
  const word = wordIndex(data.changedWord);
  const callSites = rules.mode === 'strict' ? programCallSites(new URL('.', data.module).href) : undefined;
  const options = { rules, nonCoherent, ...(callSites && { callSites }) };
  const { kernel, contiguousPages } = startProgramMachine(host, host.memory, word, options);
  const { payload } = data;
  const devices = addScenarioNodes(nodes, { kernel, services: host, payload, runtime, contiguousPages });
  const process = new Process(kernel);
  process.killedAtNs = limitNs;
  const result = yield* untilKilled(module.main(process, kernel), limitNs);
  const endNs = kernel.now();
  noteLeaks(kernel);
  for (const one of [...kernel.processes]) one.exit();
  yield* untilIdle(kernel, devices);
  const cache = kernel.cpuCache?.cost;
  const report = {
    result,
    endNs,
    findings: [...kernel.dmaBufRules.findings],
    ...(cache && { cache }),
    ...(devices.length > 0 && { devices: devices.map(reportOf) }),
  };
  return { report, artefacts: devices.flatMap(artefactsOf) };
}

/** @throws ErrnoError ETIMEDOUT when the program was stopped where it waited */
function* untilKilled(main: Task<unknown>, limitNs: number): Task<unknown> {
  try {
    return yield* main;
  } catch (error) {
    if (!(error instanceof ProcessKilled)) throw error;
    const limit = `${limitNs / NS_PER_S} s`;
    throw new ErrnoError('ETIMEDOUT', 'program', `The program had not ended after ${limit} of model time; see --limit`);
  }
}

/** What devices are working on goes through; then they leave what they have. */
function* untilIdle(kernel: SimulatedKernel, devices: readonly SocDevice[]): Task<void> {
  for (const device of devices) device.stop?.();
  const look = (): true | undefined => (devices.some(({ isRunning }) => isRunning === true) ? undefined : true);
  yield* kernel.wait(look, Number.POSITIVE_INFINITY, 'devices that end');
}

function reportOf({ name, paths, statistics, failures = [] }: SocDevice): ProgramDeviceReport {
  const { counters, sequences, dropped } = statistics;
  return {
    name,
    path: paths[0],
    counters: Object.fromEntries(counters),
    sequences: Object.fromEntries([...sequences].map(([list, log]) => [list, log.ranges()])),
    dropped: dropped.ranges(),
    failures: failures.map(({ timeNs, error }) => ({ timeNs, message: error.message })),
  };
}

function artefactsOf({ name, statistics }: SocDevice): RunArtefact[] {
  return statistics.artefacts.map((artefact) => ({ device: name, ...artefact }));
}
