/** What a run has shown that nobody asked about: buffers mapped too early, and what works only by luck. */
import type { RunResult } from '../result/index.js';
import { corruptionSubject } from './corruption-text.js';
import { wrap } from './text-layout.js';
import { formatBytes, formatList, formatMoment, plural } from './units.js';

type BrokenMessages = NonNullable<RunResult['brokenMessages']>[number];
type FreedWrite = NonNullable<RunResult['sanitizer']>['findings'][number];

/** One paragraph a finding; empty when there is none. */
export function findingLines(result: RunResult): string[] {
  const { hazards, prematureMaps, brokenMessages = [], corruptions = [] } = result;
  const broken = brokenMessages.map(brokenText);
  const findings = [
    ...roomText(result),
    ...unwatchedText(result),
    ...unrecordedText(result),
    ...broken,
    ...corruptions.map(corruptionText),
    ...sanitizerText(result),
    ...prematureMaps.map(prematureText),
    ...hazards.map(hazardText),
  ];
  return findings.flatMap((text) => wrap(text, '  ', '    '));
}

/** Devices whose frames were refused since no heap had room. */
function roomText({ devices, heaps }: RunResult): string[] {
  const refused = Object.entries(devices).flatMap(([device, { counters }]) => {
    const count = counters.refusedENOMEM ?? 0;
    return count > 0 ? [`${device} ${plural(count, 'time')}`] : [];
  });
  if (refused.length === 0) return [];
  const full = Object.entries(heaps)
    .filter(([, { peakBytes }]) => peakBytes > 0)
    .map(([heap, { sizeBytes, peakBytes }]) => `${heap} ${formatBytes(peakBytes)} of ${formatBytes(sizeBytes)}`);
  return [
    `Out of room: no heap that suits had room for ${formatList(refused)} (ENOMEM); most in use were ${formatList(full)}.`,
  ];
}

function unwatchedText({ unwatchedMappings = 0, unwatchedLockOrders = 0 }: RunResult): string[] {
  const mappings = `Not watched: ${plural(unwatchedMappings, 'mapping')} for whose age there was no room.`;
  const orders = `Not watched: ${plural(unwatchedLockOrders, 'order')} of two locks for which there was no room.`;
  return [...(unwatchedMappings > 0 ? [mappings] : []), ...(unwatchedLockOrders > 0 ? [orders] : [])];
}

/** What `result.json` has no room for; the sums count it all the same. */
function unrecordedText({ unrecorded = {} }: RunResult): string[] {
  const lists = Object.entries(unrecorded).map(([list, count]) => `${count} ${list}`);
  return lists.length === 0 ? [] : [`Not told one by one, for want of room: ${formatList(lists)}.`];
}

/** Who sent broken messages, how many, and what was wrong with the first. */
export function brokenText({ device, count, firstNs, reason, quarantinedNs, unread }: BrokenMessages): string {
  const quarantined =
    quarantinedNs === undefined
      ? ''
      : `; quarantined from ${formatMoment(quarantinedNs)} on, ${plural(unread, 'message')} unread`;
  return `Broken control messages: ${plural(count, 'message')} of ${device}, the first at ${formatMoment(firstNs)}: ${reason}${quarantined}.`;
}

/** Which control words were overwritten, and what became of it. */
export function corruptionText(record: NonNullable<RunResult['corruptions']>[number]): string {
  const { what, seenNs, devices } = record;
  const whom = devices.length === 0 ? '' : `; attached were ${formatList(devices)}`;
  return `Control words overwritten: ${corruptionSubject(record)} at ${formatMoment(seenNs)}: ${what}${whom}.`;
}

/** The first of them, and how many more there are. */
function sanitizerText({ sanitizer }: RunResult): string[] {
  if (sanitizer === undefined || sanitizer.damaged === 0) return [];
  const texts = sanitizer.findings.slice(0, 5).map(freedWriteText);
  const more = sanitizer.damaged - texts.length;
  return more > 0 ? [...texts, `Written to after they were freed: ${plural(more, 'allocation')} more.`] : texts;
}

/** What was written to after it was freed, and who may have been it. */
export function freedWriteText(finding: FreedWrite): string {
  const { heap, address, lengthBytes, buffer, generations, devices, freedNs } = finding;
  const whose =
    buffer === undefined
      ? 'which no device ever got'
      : `of ${buffer}, generation ${formatList(generations.map(String))}, which ${formatList(devices)} had been given`;
  return (
    `Written to after it was freed: ${formatBytes(lengthBytes)} at 0x${address.toString(16)} in heap ${heap}, ${whose}; ` +
    `freed at ${formatMoment(freedNs)}.`
  );
}

function prematureText({
  pool,
  buffers,
  mappedBy,
  mappedNs,
  forcedBy,
  bytes,
}: RunResult['prematureMaps'][number]): string {
  const late = formatList(forcedBy);
  return (
    `Mapped too early: ${mappedBy} mapped ${plural(buffers, 'buffer')} of ${pool} from ${formatMoment(mappedNs)} on, before ` +
    `${late} attached, and ${formatBytes(bytes)} had to be copied; let the pool expect ${late} to avoid it.`
  );
}

const KINDS: Readonly<Record<RunResult['hazards'][number]['kind'], string>> = {
  'contiguous-by-luck': 'Contiguous by luck',
  'reachable-by-luck': 'Reachable by luck',
  bounce: 'Bounced',
  'silent-corruption': 'Accepted and corrupted',
  'implicit-modifier': 'Implicit modifier',
  'layout-conflict': 'No common layout',
  'cpu-reads-stale': 'Read from a stale cache',
  'cpu-writes-late': 'Left in the cache',
};

function hazardText({ kind, pool, buffers, message }: RunResult['hazards'][number]): string {
  return `${KINDS[kind]}: ${plural(buffers, 'buffer')} of ${pool}: ${message}.`;
}
