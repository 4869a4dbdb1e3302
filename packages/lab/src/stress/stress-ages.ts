/** How long fences and mappings may last in a stress run, and what has lasted longer. */
import { type ActorId, type AtomicWords, actorId } from '@dmabuf-lab/core/base';
import { type AgeLimits, AgeWatch, type Overdue } from '@dmabuf-lab/core/dma-buf';
import { openTables, type SharedTables } from '@dmabuf-lab/core/driver';
import { RuntimeWords } from '@dmabuf-lab/core/runtime';
import type { RunResult } from '../result/index.js';
import { nameOfActor, type StressPlan } from './plan.js';
import { LANES, type StressWords } from './stress-words.js';
import type { OverdueIncident, TrialAges } from './trial-result.js';

/** Mappings that a lane has open at once: those of a job on three buffers, and one more within it. */
const MAPPINGS_PER_LANE = 4;

/** Of one driver: those of its lanes, and where the device holds, one for each slot of a buffer. */
export const usesPerDriver = (slots: number): number => slots + LANES * MAPPINGS_PER_LANE;

/** How many are told one by one. */
export const TOLD_OVERDUE = 20;

export const NO_AGES: TrialAges = { overdueCount: 0, overdue: [], unwatchedMappings: 0 };

/** Looks at the ages of a trial and counts on its board, for the live line. */
export class StressAges {
  readonly #watch: AgeWatch | undefined;

  constructor(
    { ages, runtime }: Pick<StressPlan, 'ages' | 'runtime'>,
    tables: SharedTables,
    control: AtomicWords,
    private readonly board: StressWords,
  ) {
    const { uses, timelines } = openTables(control, tables, actorId(1));
    if (uses === undefined) return;
    const words = new RuntimeWords(control);
    const deaths = (actor: ActorId): number => words.deaths(actor);
    const hasBegun = (): boolean => words.started;
    const isExact = runtime === 'virtual';
    this.#watch = new AgeWatch({ uses, timelines, limits: ages, deaths, hasBegun, isExact });
  }

  /** @param nowNs model time */
  look(nowNs: number): void {
    const watch = this.#watch;
    if (watch === undefined) return;
    const before = countOf(watch);
    watch.look(nowNs);
    for (let i = before; i < countOf(watch); i += 1) this.board.addToRun('overdue');
  }

  get found(): TrialAges {
    if (this.#watch === undefined) return NO_AGES;
    const { overdue, unwatched } = this.#watch;
    const overdueCount = countOf(this.#watch);
    const told = overdue.slice(0, TOLD_OVERDUE).map(incidentOf);
    return { overdueCount, overdue: told, unwatchedMappings: unwatched };
  }
}

/** Those that are kept, and those for which there was no room. */
const countOf = ({ overdue, dropped }: AgeWatch): number => overdue.length + dropped;

function incidentOf({ kind, actor, buffers, fence, ...rest }: Overdue): OverdueIncident {
  return {
    ...rest,
    kind: kind === 'fence' ? 'fence-overdue' : 'mapping-overlong',
    device: nameOfActor(actor),
    buffers: buffers.map(({ slot, life, generation }) => ({ buffer: `slot ${slot}, life ${life}`, generation })),
    ...(kind === 'held-mapping' && { held: true }),
    ...(fence && { fence }),
  };
}

/** Those of a scenario's run. */
export function agesOfRun({ incidents, unrecorded, unwatchedMappings = 0 }: RunResult): TrialAges {
  const overdue = incidents.flatMap((incident): OverdueIncident[] => {
    const { kind, device, life, atNs, sinceNs = atNs, limitNs = 0, buffers = [], held, fence } = incident;
    if (kind !== 'fence-overdue' && kind !== 'mapping-overlong') return [];
    return [{ kind, device, life, atNs, sinceNs, limitNs, buffers, ...(held && { held }), ...(fence && { fence }) }];
  });
  const overdueCount = overdue.length + (unrecorded?.overdue ?? 0);
  return { overdueCount, overdue: overdue.slice(0, TOLD_OVERDUE), unwatchedMappings };
}

/** No limit at all: nothing is written down for them. */
export const hasLimits = ({ fenceNs, mappingNs, heldMappingNs }: AgeLimits): boolean =>
  fenceNs !== undefined || mappingNs !== undefined || heldMappingNs !== undefined;
