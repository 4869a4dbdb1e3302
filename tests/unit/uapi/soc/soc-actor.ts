/** The actor of a test: a kernel with devices of scenarios, and a program that uses them. */
import { external, type Task, wordIndex } from '@dmabuf-lab/core/base';
import type { Payload } from '@dmabuf-lab/core/driver';
import type { ActorHost } from '@dmabuf-lab/core/runtime';
import { startKernel } from '@dmabuf-lab/lab';
import { FrameContents, Process, type SocHost } from '@dmabuf-lab/uapi';
import { CHANGED_WORD } from './soc-bench.js';

/** What a program is given: its process, and where its devices are to be added. */
export interface SocMachine {
  readonly process: Process;
  readonly soc: SocHost;
}

/** Plain data of the actor. */
export interface SocActorData {
  /** URL of the module, and which of its functions is the program. */
  readonly module: string;
  readonly main: string;
  readonly payload: Payload;
  readonly runtime: 'threads' | 'virtual';
}

type Programs = Readonly<Record<string, (machine: SocMachine) => Task<unknown>>>;

export function* program(host: ActorHost, { module, main, payload, runtime }: SocActorData): Task<unknown> {
  yield* host.ready();
  const programs = yield* external(import(module) as Promise<Programs>, 'the module of the program');
  const kernel = startKernel(host, host.memory, wordIndex(CHANGED_WORD));
  const process = new Process(kernel);
  const soc: SocHost = { kernel, services: host, contents: new FrameContents(), payload, runtime };
  const result = yield* programs[main]({ process, soc });
  process.exit();
  return { result, findings: kernel.dmaBufRules.findings.map(({ kind }) => kind) };
}
