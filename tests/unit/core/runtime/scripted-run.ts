import { type AtomicWords, actorId } from '@dmabuf-lab/core/base';
import { PhysicalMemory } from '@dmabuf-lab/core/memory';
import {
  RUNTIME_WORDS,
  type RunReport,
  type RunSpec,
  ThreadsRuntime,
  VirtualRuntime,
  type WaitOwners,
} from '@dmabuf-lab/core/runtime';
import { CONTROL_BYTES, type Step } from './programs/scripted.js';

export function scriptedSpec(actors: Readonly<Record<string, readonly Step[]>>, seed = 1): RunSpec {
  const names = Object.keys(actors);
  const memory = PhysicalMemory.create([{ name: 'dram', base: 0, sizeBytes: 65_536 }]);
  return {
    actors: names.map((name, i) => ({
      name,
      id: actorId(i + 1),
      module: new URL('./programs/scripted.js', import.meta.url).href,
      calls: [...new Set(actors[name].flatMap(peersOf))],
      data: actors[name],
    })),
    memory: memory.handle,
    controlBytes: CONTROL_BYTES,
    seed,
    trace: false,
  };
}

/** Whom a step calls. */
function peersOf(step: Step): string[] {
  if (step.do === 'spawn') return step.steps.flatMap(peersOf);
  return step.do === 'call' ? [step.peer] : [];
}

/** Who ends the wait for a word of the test: word 1 actor 1, and so on. */
export function waitsByNumber(_: AtomicWords): WaitOwners {
  return {
    ownersOf: ({ word }) => {
      const owner = word - RUNTIME_WORDS;
      return owner >= 1 && owner <= 9 ? [{ actor: actorId(owner) }] : [];
    },
  };
}

export function runVirtual(
  actors: Readonly<Record<string, readonly Step[]>>,
  options: { seed?: number; ties?: 'fifo' | 'seed' } = {},
): Promise<RunReport> {
  return new VirtualRuntime(scriptedSpec(actors, options.seed), { ties: options.ties ?? 'fifo' }).run();
}

export function runThreads(actors: Readonly<Record<string, readonly Step[]>>): Promise<RunReport> {
  return new ThreadsRuntime(scriptedSpec(actors), { pace: 'real' }).run();
}

/** The logs of all actors. */
export function logs(report: RunReport): Record<string, string[]> {
  return Object.fromEntries(report.outcomes.map(({ name, report: log }) => [name, log as string[]]));
}
