/** What a scenario says of how long fences and mappings may last, and who has gone beyond it. */
import { type ActorId, type AtomicWords, actorId } from '@dmabuf-lab/core/base';
import { type AgeLimits, AgeWatch, type Overdue } from '@dmabuf-lab/core/dma-buf';
import { openTables, type SharedTables } from '@dmabuf-lab/core/driver';
import { RuntimeWords } from '@dmabuf-lab/core/runtime';
import type { RunResult } from '../result/index.js';
import type { Scenario } from '../scenario/index.js';
import type { ExporterReport } from './exporter-actor.js';
import type { PreparedRun } from './prepare.js';

type Incident = RunResult['incidents'][number];

/** The limits; undefined when there are none, and nothing is written down for them. */
export function ageLimitsOf({ debug }: Pick<Scenario, 'debug'>): AgeLimits | undefined {
  const { fenceDeadline: fenceNs, mappingLimit: mappingNs, heldMappingLimit: heldMappingNs } = debug;
  if (fenceNs === undefined && mappingNs === undefined && heldMappingNs === undefined) return undefined;
  return {
    ...(fenceNs !== undefined && { fenceNs }),
    ...(mappingNs !== undefined && { mappingNs }),
    ...(heldMappingNs !== undefined && { heldMappingNs }),
  };
}

/** Looks at the ages in the control words of a run; undefined when no limits are given. */
export function watchAges(
  { scenario, tables }: { readonly scenario: Scenario; readonly tables: SharedTables },
  words: AtomicWords,
): AgeWatch | undefined {
  const limits = ageLimitsOf(scenario);
  const { uses, timelines } = openTables(words, tables, actorId(1));
  if (limits === undefined || uses === undefined) return undefined;
  const runtime = new RuntimeWords(words);
  const deaths = (actor: ActorId): number => runtime.deaths(actor);
  const hasBegun = (): boolean => runtime.started;
  return new AgeWatch({ uses, timelines, limits, deaths, hasBegun, isExact: scenario.runtime === 'virtual' });
}

const KINDS = { fence: 'fence-overdue', mapping: 'mapping-overlong', 'held-mapping': 'mapping-overlong' } as const;

/** As incidents, with the names that the exporter and the scenario have for everything. */
export function ageIncidents(
  overdue: readonly Overdue[],
  { actors }: Pick<PreparedRun, 'actors'>,
  exporter: Pick<ExporterReport, 'buffers'>,
): Incident[] {
  const nameOf = (slot: number, life: number): string =>
    exporter.buffers.find((buffer) => buffer.slot === slot && buffer.life === life)?.name ?? `slot ${slot}`;
  return overdue.map(({ kind, actor, life, atNs, sinceNs, limitNs, buffers, fence }) => ({
    kind: KINDS[kind],
    device: actors.find(({ id }) => id === actor)?.name ?? `actor ${actor}`,
    atNs,
    life,
    sinceNs,
    limitNs,
    ...(kind === 'held-mapping' && { held: true }),
    buffers: buffers.map(({ slot, life: of, generation }) => ({ buffer: nameOf(slot, of), generation })),
    ...(fence && { fence }),
  }));
}
