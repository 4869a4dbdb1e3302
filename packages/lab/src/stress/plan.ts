/** What a stress run is asked to do, as plain data, and what follows from it: who dies when, and how devices differ. */
import { RandomStream } from '@dmabuf-lab/core/base';
import type { DeviceConstraints } from '@dmabuf-lab/core/constraints';
import { type AgeLimits, EXPORTER, type ExporterPolicy, type ImporterTraits } from '@dmabuf-lab/core/dma-buf';
import type { Fault, Supervision } from '@dmabuf-lab/core/runtime';
import type { Bandwidths } from '@dmabuf-lab/heaps';
import { drawnSites, everySite, type SiteRates } from './sites.js';

export interface StressPlan {
  readonly runtime: 'threads' | 'virtual';
  readonly drivers: number;
  /** Listings of buffers that drivers fill and empty again. */
  readonly buffers: number;
  readonly durationNs: number;
  /** The run also ends after so many operations; absent = it does not. */
  readonly operations?: number;
  /** Kills a second of model time, of all drivers together. */
  readonly killsPerSecond: number;
  readonly hangsPerSecond: number;
  /** Kills of the exporter; absent = 0, and then it keeps nothing for a next life. */
  readonly exporterKillsPerSecond?: number;
  /** Share of each heap that somebody else takes for random times, 0 to 1. */
  readonly heapPressure: number;
  /** The most that the sites of a drawn plan may fire at, and what those of a fixed one do: a share of their visits, 0 to 1. */
  readonly siteRate?: number;
  /** Which sites are armed, and how often each fires. */
  readonly sites: SiteRates;
  readonly seed: number;
  /** What has lasted longer is told; it is no violation. */
  readonly ages: AgeLimits;
  readonly policy: ExporterPolicy;
  /** In which order what happens at the same moment of model time happens. */
  readonly ties: 'fifo' | 'seed';
}

/** What the command line says; the rest is drawn from the seed or as usual. */
export type PlanChoices = Omit<StressPlan, 'ages' | 'policy' | 'sites' | 'ties'> & { readonly ages?: AgeChoices };

/** Limits of ages in ns; absent = as usual on that runtime. */
export type AgeChoices = { readonly [limit in keyof AgeLimits]?: number | 'off' };

export const EXPORTER_ACTOR = 1;
export const driverName = (index: number): string => `driver${index + 1}`;
/** Actor number of a driver, by its index. */
export const driverActor = (index: number): number => EXPORTER_ACTOR + 1 + index;
export const nameOfActor = (actor: number): string =>
  actor === EXPORTER_ACTOR ? 'exporter' : driverName(actor - EXPORTER_ACTOR - 1);

const MS = 1_000_000;
/** In model time everything is quicker than on a machine that has other things to do. */
const TIMES = {
  virtual: {
    moveNs: 5 * MS,
    lateNs: 5 * MS,
    hungNs: 20 * MS,
    backoffNs: MS,
    ageNs: 500 * MS,
    boundNs: 5_000 * MS,
    pauseNs: 300_000,
  },
  threads: {
    moveNs: 200 * MS,
    lateNs: 1000 * MS,
    hungNs: 5000 * MS,
    backoffNs: 10 * MS,
    ageNs: 30_000 * MS,
    boundNs: 60_000 * MS,
    pauseNs: MS,
  },
} as const;

/** Whether the exporter has to be ready for a next life. */
export const isExporterKilled = ({ exporterKillsPerSecond = 0 }: StressPlan): boolean => exporterKillsPerSecond > 0;

/** Longer than this no operation may take: whoever waits longer waits without an end. */
export const boundOf = ({ runtime }: StressPlan): number => TIMES[runtime].boundNs;
/**
 * How long fences and mappings may last. As usual: far longer than a driver that hangs is left alone, which keeps what it has
 * until then. What a device holds from job to job it may hold as long as it likes.
 */
export function agesOf({ runtime, ages = {} }: Pick<PlanChoices, 'runtime' | 'ages'>): AgeLimits {
  const usual = TIMES[runtime].ageNs;
  const { fenceNs = usual, mappingNs = usual, heldMappingNs = 'off' } = ages;
  return {
    ...(fenceNs !== 'off' && { fenceNs }),
    ...(mappingNs !== 'off' && { mappingNs }),
    ...(heldMappingNs !== 'off' && { heldMappingNs }),
  };
}

/** Mean time that a driver does nothing, or holds a mapping. */
export const pauseOf = ({ runtime }: StressPlan): number => TIMES[runtime].pauseNs;

/** How fast pages are copied and zeroed: in virtual time slowly, so that other things happen meanwhile. */
export const bandwidthsOf = ({ runtime }: StressPlan): Bandwidths =>
  runtime === 'virtual'
    ? { copyBytesPerSecond: 1e8, zeroBytesPerSecond: 2e8 }
    : { copyBytesPerSecond: 4e9, zeroBytesPerSecond: 8e9 };

/** A plan as it was asked for, with the usual policy. */
export function fixedPlan(choices: PlanChoices): StressPlan {
  const timeoutNs = TIMES[choices.runtime].moveNs;
  const policy: ExporterPolicy = { onBusy: 'wait', timeoutNs, moveAt: 'first-map', moveBack: 'idle' };
  return { ...choices, sites: everySite(choices.siteRate ?? 0), ages: agesOf(choices), policy, ties: 'fifo' };
}

/**
 * A plan drawn from its seed, in two steps: whether a kind of fault or a site is armed in this run at all, and then how often. The
 * numbers of the choices are what is drawn up to.
 */
export function drawnPlan(choices: PlanChoices): StressPlan {
  const random = new RandomStream(choices.seed, 'stress.plan');
  const armed = (share: number, most: number): number => (random.uniform() < share ? most * random.uniform() : 0);
  const pick = <T>(...of: readonly T[]): T => of[random.integer(of.length)];
  const { drivers, buffers } = choices;
  return {
    ...choices,
    drivers: Math.min(drivers, 2 + random.integer(drivers)),
    buffers: Math.min(buffers, 2 + random.integer(buffers)),
    killsPerSecond: armed(0.7, choices.killsPerSecond),
    hangsPerSecond: armed(0.3, choices.hangsPerSecond),
    heapPressure: armed(0.5, choices.heapPressure),
    exporterKillsPerSecond: drawnExporterKills(choices),
    sites: drawnSites(choices.seed, choices.siteRate ?? 0),
    ages: agesOf(choices),
    policy: {
      onBusy: pick('wait', 'wait', 'busy'),
      timeoutNs: pick(0.2, 1, 4) * TIMES[choices.runtime].moveNs,
      moveAt: pick('first-map', 'attach'),
      moveBack: pick('never', 'idle'),
    },
    ties: pick('fifo', 'seed'),
  };
}

/** From a stream of its own: all else is drawn as without. */
function drawnExporterKills({ seed, exporterKillsPerSecond = 0 }: PlanChoices): number {
  const random = new RandomStream(seed, 'stress.plan exporter');
  return random.uniform() < 0.5 ? exporterKillsPerSecond * random.uniform() : 0;
}

/** Who is killed or hangs, and when: exponential gaps, victims by chance, all from the seed. */
export function faultsOf(
  plan: StressPlan,
  victims = Array.from({ length: plan.drivers }, (_, i) => driverName(i)),
): Fault[] {
  const { seed, durationNs, killsPerSecond, hangsPerSecond, exporterKillsPerSecond = 0 } = plan;
  const faults: Fault[] = [];
  const causes = [
    { kind: 'kill', of: victims, perSecond: killsPerSecond, stream: 'stress.kill' },
    { kind: 'hang', of: victims, perSecond: hangsPerSecond, stream: 'stress.hang' },
    { kind: 'kill', of: [EXPORTER], perSecond: exporterKillsPerSecond, stream: 'stress.kill exporter' },
  ] as const;
  for (const { kind, of, perSecond, stream } of causes) {
    if (perSecond === 0) continue;
    const random = new RandomStream(seed, stream);
    let atNs = Math.ceil(random.exponential(1e9 / perSecond));
    while (atNs < durationNs) {
      faults.push({ kind, actor: of[random.integer(of.length)], atNs });
      atNs += Math.ceil(random.exponential(1e9 / perSecond));
    }
  }
  return faults.sort((a, b) => a.atNs - b.atNs);
}

/** One for one, without a limit. */
export function supervisionOf({ runtime }: StressPlan): Supervision {
  const { lateNs, hungNs, backoffNs } = TIMES[runtime];
  const restart = { strategy: 'one-for-one', restarts: Number.MAX_SAFE_INTEGER, withinNs: 1, backoffNs } as const;
  return { restart: { ...restart, maxBackoffNs: backoffNs }, lateNs, hungNs };
}

/** A device of a stress run. */
export interface StressDevice extends ImporterTraits {
  readonly kind: string;
  readonly constraints: Omit<DeviceConstraints, 'device'>;
}

const IOMMU = { iommu: { iovaBits: 32 } };

/** The kinds of devices, given to drivers in turn; any set of them can share a buffer in the CMA heap. */
export const DEVICES: readonly StressDevice[] = [
  { kind: 'any page, per job', mapping: 'per-job', constraints: {} },
  { kind: 'contiguous, no IOMMU, per job', mapping: 'per-job', constraints: { contiguous: true } },
  { kind: 'IOMMU, dynamic', mapping: 'per-job', importer: 'dynamic', constraints: IOMMU },
  { kind: 'IOMMU, held', mapping: 'held', constraints: IOMMU },
  { kind: '32-bit mask, per job', mapping: 'per-job', constraints: { dmaMask: 2 ** 32 - 1 } },
  { kind: 'IOMMU, dynamic, pins', mapping: 'per-job', importer: 'dynamic', pin: true, constraints: IOMMU },
  { kind: 'two segments, per job', mapping: 'per-job', constraints: { maxSegments: 2 } },
  { kind: 'contiguous, dynamic', mapping: 'per-job', importer: 'dynamic', constraints: { contiguous: true } },
];

/** The listings of a driver, by its index: only it lists buffers there. */
export function listingsOf({ buffers, drivers }: StressPlan, index: number): number[] {
  const own: number[] = [];
  for (let listing = index; listing < buffers; listing += drivers) own.push(listing);
  return own;
}
