/** The solver's answer as a sentence for someone who has never seen a DMA mask. */

import { formatAddress, formatList, formatSize, formatWindow } from '../describe.js';
import type { DeviceConstraints } from './device-constraints.js';
import type { ConstraintFact } from './facts.js';
import type { HeapVerdict } from './heap-verdict.js';

/** `cma, because encoder needs contiguous memory up to 0xFFFF_FFFF and has no IOMMU; system would scatter the pages.` */
export function explainPlaced(
  heap: string,
  devices: readonly DeviceConstraints[],
  candidates: readonly HeapVerdict[],
  forcedBy: readonly ConstraintFact[],
): string {
  const lost = candidates.slice(
    0,
    candidates.findIndex((candidate) => candidate.heap === heap),
  );
  const clauses = lost.flatMap((verdict) => (verdict.suits ? [] : [whyLost(verdict)]));
  if (forcedBy.length > 0) {
    const forcing = new Set(forcedBy.map((fact) => fact.device));
    const needs = devices.filter((c) => forcing.has(c.device)).map((c) => needsOf(c, forcedBy));
    return `${[`${heap}, because ${formatList([...new Set(needs)])}`, ...clauses].join('; ')}.`;
  }
  const translated = [...new Set(devices.filter((c) => c.iommu !== undefined).map((c) => c.device))];
  const reasons = [devices.length === 0 ? 'no device constrains the place' : 'it suits every device'];
  if (translated.length > 0) {
    reasons.push(`to ${formatList(translated)} scattered pages look like one range behind an IOMMU`);
  }
  return `${[`${heap}, the least scarce heap with room, because ${formatList(reasons)}`, ...clauses].join('; ')}.`;
}

/** `No heap suits all of them: … cannot be met together; …` */
export function explainUnsatisfiable(
  candidates: readonly HeapVerdict[],
  conflict: readonly ConstraintFact[],
  sizeBytes: number,
): string {
  const facts = conflict.map((fact) => `${fact.device}.${fact.field}`);
  const messages = candidates.flatMap((verdict) => (verdict.suits ? [] : [`not ${verdict.heap}: ${verdict.message}`]));
  const together = facts.length > 1 ? `${formatList(facts)} cannot be met together` : `${facts[0]} cannot be met`;
  const head = facts.length > 0 ? together : `there is none with room for ${formatSize(sizeBytes)}`;
  return `${[`No heap suits: ${head}`, ...messages].join('; ')}.`;
}

function needsOf(c: DeviceConstraints, forcedBy: readonly ConstraintFact[]): string {
  const forces = (field: ConstraintFact['field']): boolean =>
    forcedBy.some((fact) => fact.device === c.device && fact.field === field);
  const wants: string[] = [];
  if (c.iommu === undefined) {
    let memory = c.contiguous ? 'contiguous memory' : 'memory';
    if (c.maxSegments !== undefined && (!c.contiguous || forces('maxSegments'))) {
      memory += c.maxSegments === 1 ? ' in one segment' : ` in at most ${c.maxSegments} segments`;
      if (forces('maxSegmentBytes')) memory += ` of up to ${formatSize(c.maxSegmentBytes ?? 0)}`;
      if (forces('segmentBoundaryMask'))
        memory += ` that cross no multiple of ${formatSize((c.segmentBoundaryMask ?? 0) + 1)}`;
    }
    if (c.windows !== undefined) memory += ` within ${formatList(c.windows.map(formatWindow))}`;
    if (c.addressLimit !== undefined) memory += ` up to ${formatAddress(c.addressLimit)}`;
    if (forces('alignmentBytes')) memory += ` aligned to ${formatSize(c.alignmentBytes ?? 1)}`;
    wants.push(`needs ${memory}`, 'has no IOMMU');
  } else {
    if (forces('iommu.physBits')) wants.push(`has an IOMMU whose page table holds ${c.iommu.physBits}-bit addresses`);
    if (forces('iommu.pageSizes')) {
      wants.push(`has an IOMMU with pages of ${formatList((c.iommu.pageSizes ?? []).map(formatSize))}`);
    }
  }
  return `${c.device} ${wants.join(' and ')}`;
}

function whyLost(verdict: HeapVerdict & { readonly suits: false }): string {
  const { heap, device } = verdict;
  switch (verdict.field) {
    case 'addressLimit':
    case 'windows':
    case 'iommu.physBits':
      return `${heap} may use pages that ${device} cannot reach`;
    case 'contiguous':
      return `${heap} would scatter the pages`;
    case 'maxSegments':
      return `${heap} may need more segments than ${device} takes`;
    default:
      return verdict.message;
  }
}
