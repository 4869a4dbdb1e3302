/** The actor that a program runs in: a kernel, and a process of it. */
import { external, type Task, wordIndex } from '@dmabuf-lab/core/base';
import type { CpuCacheCost, DmaBufFinding, DmaBufRulesOptions } from '@dmabuf-lab/core/dma-buf';
import type { ActorHost } from '@dmabuf-lab/core/runtime';
import { Process, type SimulatedKernel } from '@dmabuf-lab/uapi';
import { startKernel } from '../machine/index.js';

/** What a module of a program exports as `main`. */
export type ProgramMain = (process: Process, kernel: SimulatedKernel) => Task<unknown>;

/** How the machine of a program behaves. */
export interface ProgramOptions extends DmaBufRulesOptions {
  /** Devices do not see what is in the cache of the CPU, nor the CPU what they write past it. Default: they do. */
  readonly nonCoherent?: boolean;
}

/** Plain data of the actor. */
export interface ProgramActorData {
  /** URL of the module. */
  readonly module: string;
  readonly changedWord: number;
  readonly options: ProgramOptions;
}

/** What the actor reports: timers of the kernel may outlive the program. */
export interface ProgramReport {
  readonly result: unknown;
  readonly endNs: number;
  /** Violations that Linux does not check. */
  readonly findings: readonly DmaBufFinding[];
  /** What cache maintenance has cost; absent on a coherent machine. */
  readonly cache?: CpuCacheCost;
}

export function* program(host: ActorHost, data: ProgramActorData): Task<ProgramReport> {
  yield* host.ready();
  const module = yield* external(import(data.module) as Promise<{ main: ProgramMain }>, 'the module of the program');
  const { nonCoherent = false, ...rules } = data.options;
  const kernel = startKernel(host, host.memory, wordIndex(data.changedWord), { rules, nodes: 'all', nonCoherent });
  const process = new Process(kernel);
  const result = yield* module.main(process, kernel);
  const endNs = kernel.now();
  process.exit();
  const cache = kernel.cpuCache?.cost;
  return { result, endNs, findings: [...kernel.dmaBufRules.findings], ...(cache && { cache }) };
}
