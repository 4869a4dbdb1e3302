/** What a scenario does to its devices and heaps, as the runtimes and the exporter take it. */
import { EXPORTER } from '@dmabuf-lab/core/dma-buf';
import type { Corruption } from '@dmabuf-lab/core/driver';
import { DEFAULT_SUPERVISION, type Fault, type Supervision } from '@dmabuf-lab/core/runtime';
import type { Scenario } from '../scenario/index.js';
import type { Exhaustion } from './exhaust.js';

/** Of a corrupt event that does not say how many. */
const DEFAULT_MESSAGES = 3;

type Event = Scenario['timeline'][number];

/** Whether anybody may die and come back. */
export function mayDie(scenario: Scenario): boolean {
  return scenario.supervision !== undefined || faultsOf(scenario).length > 0;
}

/** The faults of devices and of the exporter, in order of time. */
export function faultsOf({ timeline, duration }: Scenario): Fault[] {
  const faults = timeline.filter(({ at }) => at < duration).flatMap((event): Fault[] => faultOf(event));
  return faults.sort((a, b) => a.atNs - b.atNs);
}

function faultOf(event: Event): Fault[] {
  const atNs = event.at;
  if ('kill' in event) return [{ kind: 'kill', actor: event.kill, atNs }];
  if ('hang' in event) return [{ kind: 'hang', actor: event.hang, atNs }];
  if ('restart' in event) return [{ kind: 'restart', actor: event.restart, atNs }];
  if ('pause' in event) return [{ kind: 'pause', actor: event.pause, atNs, forNs: event.for }];
  return [];
}

/** When a device sends broken messages, or writes over control words. */
export function corruptionsOf({ timeline, duration }: Scenario, device: string): Corruption[] {
  return timeline.flatMap((event): Corruption[] => {
    if (!('corrupt' in event) || event.corrupt !== device || event.at >= duration) return [];
    const { of } = event;
    if (event.what === 'words') return [{ what: 'words', atNs: event.at, ...(of && { of }) }];
    return [{ what: 'messages', atNs: event.at, messages: event.messages ?? DEFAULT_MESSAGES }];
  });
}

/** Whether the exporter is started again when it dies: only then it keeps a journal. */
export function restartsExporter({ supervision, timeline }: Scenario): boolean {
  if ((supervision?.restart ?? 'never') !== 'never') return true;
  return timeline.some((event) => 'restart' in event && event.restart === EXPORTER);
}

/** The instants at which something happens or ends, ascending, each once. */
export function eventTimesOf({ timeline, duration }: Scenario): number[] {
  const all = timeline.flatMap((event) => ('for' in event ? [event.at, event.at + event.for] : [event.at]));
  return [...new Set(all)].filter((at) => at < duration).sort((a, b) => a - b);
}

/** The heaps that are full for a while. */
export function exhaustionsOf({ timeline, duration }: Scenario): Exhaustion[] {
  return timeline.flatMap((event): Exhaustion[] => {
    if (!('exhaust' in event) || event.at >= duration) return [];
    return [{ heap: event.exhaust, atNs: event.at, untilNs: event.at + event.for }];
  });
}

/**
 * How deaths are dealt with; undefined where nobody dies and nobody is watched.
 *
 * @param isWatched whether devices are watched in any case, as drivers of users are: one of them may loop
 */
export function supervisionOf(scenario: Scenario, isWatched = false): Supervision | undefined {
  const { supervision } = scenario;
  if (supervision === undefined) return isWatched ? DEFAULT_SUPERVISION : undefined;
  const { restart, restarts, within: withinNs, backoff: backoffNs, maxBackoff: maxBackoffNs, late, hung } = supervision;
  const limits = restart === 'never' ? undefined : { strategy: restart, restarts, withinNs, backoffNs, maxBackoffNs };
  return { ...(limits && { restart: limits }), toleratesFailures: true, lateNs: late, hungNs: hung };
}
