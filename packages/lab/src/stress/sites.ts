/** The sites of a stress run, and which of them are armed. */
import { RandomStream } from '@dmabuf-lab/core/base';

/** Sites, in the order of their counters. */
export const SITES = [
  /** A heap says ENOMEM, whatever it has. */
  'heap-allocate',
  /** The copy of a move takes long: whoever dies or times out meanwhile does so in the middle of it. */
  'move-copy',
  /** The exporter has done what it was asked for, and answers late. */
  'exporter-reply',
  /** A driver has found a buffer in the directory, and comes late to use it. */
  'buffer-take',
  /** A fence is published, and its job begins late. */
  'fence-publish',
  /** A job is done, and signals its fence late. */
  'fence-signal',
  /** A job signals its fence with EIO. */
  'fence-error',
] as const;
export type Site = (typeof SITES)[number];

/** Of the armed sites: at which share of their visits they fire, above 0 and up to 1. */
export type SiteRates = { readonly [site in Site]?: number };

/** Every site at one rate; none at 0. */
export const everySite = (rate: number): SiteRates =>
  rate === 0 ? {} : Object.fromEntries(SITES.map((site) => [site, rate]));

/** The share of sites that a drawn plan arms. */
const ARMED_SHARE = 0.5;

/** Which sites are armed and how often each fires, up to a rate: all from the seed. */
export function drawnSites(seed: number, most: number): SiteRates {
  if (most === 0) return {};
  const random = new RandomStream(seed, 'stress.sites');
  const drawn = SITES.map((site): [Site, boolean, number] => [
    site,
    random.uniform() < ARMED_SHARE,
    most * (1 - random.uniform()),
  ]);
  return Object.fromEntries(drawn.flatMap(([site, isArmed, rate]) => (isArmed ? [[site, rate]] : [])));
}
