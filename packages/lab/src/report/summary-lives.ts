/** Who died and what became of it, and what lasted too long. */
import type { RunResult } from '../result/index.js';
import { wrap } from './text-layout.js';
import { formatDuration, formatList, formatMoment } from './units.js';

type Incident = RunResult['incidents'][number];

/** A line for each incident, in order; empty when nothing happened. Only the first of many are told one by one. */
export function lifeLines({ incidents }: RunResult): string[] {
  const told = incidents.slice(0, TOLD);
  const lines = told.flatMap((incident) => wrap(incidentText(incident), '  ', '    '));
  if (incidents.length > told.length) lines.push(`  … and ${incidents.length - told.length} more, in result.json`);
  return lines;
}

const TOLD = 24;

function incidentText(incident: Incident): string {
  const { kind, device, atNs, cause, why, sinceNs, tookNs, life } = incident;
  const at = formatMoment(atNs);
  if (kind === 'died') return `${at}: ${device} ${DEATHS[cause ?? 'failed']}${why === undefined ? '' : `: ${why}`}.`;
  if (kind === 'late') {
    return `${at}: ${device} has done nothing for ${formatDuration(atNs - (sinceNs ?? atNs))}; it was left alone.`;
  }
  if (kind === 'fence-overdue' || kind === 'mapping-overlong') return ageText(incident);
  if (kind === 'reclaimed') {
    const after = tookNs === undefined || tookNs === 0 ? 'at once' : `after ${formatDuration(tookNs)}`;
    return `${at}: all that ${device} held was taken back, ${after}.`;
  }
  if (kind === 'restarted') return `${at}: ${device} was started again (life ${life + 1}).`;
  if (kind === 'deadlock') return `${at}: deadlock: ${why}.`;
  if (kind === 'lock-order') return `${at}: lock order: ${why}.`;
  return `${at}: ${why}.`;
}

/** That a fence or a mapping has lasted too long. */
export function ageText({
  kind,
  device,
  atNs,
  sinceNs = atNs,
  limitNs = 0,
  buffers = [],
  held,
  fence,
}: Incident): string {
  const at = formatMoment(atNs);
  const what = formatList(buffers.map(({ buffer, generation }) => `${buffer} (generation ${generation})`));
  const limit = `longer than ${formatDuration(limitNs)}`;
  if (kind === 'mapping-overlong') {
    const since = `${held ? 'held' : 'mapped'} since ${formatMoment(sinceNs)}`;
    return `${at}: ${device} has ${what} ${since}, ${limit}.`;
  }
  const which = fence === undefined ? 'a fence' : `fence ${fence.timeline}:${fence.seqno}`;
  return `${at}: ${which} of ${device} on ${what} is pending since ${formatMoment(sinceNs)}, ${limit}.`;
}

const DEATHS: Readonly<Record<NonNullable<Incident['cause']>, string>> = {
  killed: 'was killed',
  hung: 'hung, and was ended',
  failed: 'failed',
  stopped: 'was ended for the sake of another',
  overdue: 'did not end, and was ended',
};
