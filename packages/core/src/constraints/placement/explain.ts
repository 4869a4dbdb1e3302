/** The solver's answer as a sentence for someone who has never seen a DMA mask. */

import { formatAddress, formatList, formatSize, formatWindow } from '../describe.js';
import type { DeviceConstraints } from './device-constraints.js';
import type { ConstraintFact } from './facts.js';
import type { HeapVerdict } from './heap-verdict.js';
import { highestIssued } from './iova.js';

/** `cma, because encoder needs contiguous memory up to 0xFFFF_FFFF and has no IOMMU; system would scatter the pages.` */
export function explainPlaced(
  heap: string,
  devices: readonly DeviceConstraints[],
  candidates: readonly HeapVerdict[],
  forcedByAll: readonly (readonly ConstraintFact[])[],
): string {
  const forcedBy = forcedByAll[0] ?? [];
  const lost = candidates.slice(
    0,
    candidates.findIndex((candidate) => candidate.heap === heap),
  );
  const clauses = lost.flatMap((verdict) => (verdict.suits ? [] : [whyLost(verdict)]));
  if (forcedBy.length > 0) {
    const forcing = new Set(forcedBy.map((fact) => fact.device));
    const needs = devices.filter((c) => forcing.has(c.device)).map((c) => needsOf(c, forcedBy));
    const others = devices.map((c) => c.device).filter((device) => !forcing.has(device));
    const alike = [...new Set(others)].filter((device) =>
      forcedByAll.some((set) => set.some((f) => f.device === device)),
    );
    if (alike.length > 0) clauses.push(`without it, ${formatList(alike)} would force it too`);
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
  buffers: number,
): string {
  const facts = conflict.map((fact) => `${fact.device}.${fact.field}`);
  const messages = candidates.flatMap((verdict) => (verdict.suits ? [] : [`not ${verdict.heap}: ${verdict.message}`]));
  const together = facts.length > 1 ? `${formatList(facts)} cannot be met together` : `${facts[0]} cannot be met`;
  const many = buffers === 1 ? formatSize(sizeBytes) : `${buffers} buffers of ${formatSize(sizeBytes)}`;
  const head = facts.length > 0 ? together : `there is none with room for ${many}`;
  return `${[`No heap suits: ${head}`, ...messages].join('; ')}.`;
}

function needsOf(c: DeviceConstraints, forcedBy: readonly ConstraintFact[]): string {
  const forces = (field: ConstraintFact['field']): boolean =>
    forcedBy.some((fact) => fact.device === c.device && fact.field === field);
  const wants: string[] = [];
  if (forces('protected')) {
    wants.push(c.protected === 'required' ? 'needs protected memory' : 'is not allowed into protected memory');
  }
  if (forces('coherency')) wants.push(`works only where contents are shared by ${formatList(c.coherency ?? [])}`);
  if (forces('heaps')) wants.push(`may use only ${formatList(c.heaps ?? [])}`);
  if (forces('peerToPeerDistance'))
    wants.push(
      c.peerToPeerDistance === undefined
        ? 'does not map memory of other devices'
        : `maps memory of other devices over at most ${c.peerToPeerDistance} ${c.peerToPeerDistance === 1 ? 'bridge' : 'bridges'}`,
    );
  if (forces('physLimit')) wants.push(`reaches no memory above ${formatAddress(c.physLimit ?? 0)}`);
  if (forces('alignmentBytes') && c.iommu !== undefined)
    wants.push(`needs IOVAs aligned to ${formatSize(c.alignmentBytes ?? 1)}`);
  if (forces('iommu.physBits')) wants.push(`has an IOMMU whose page table holds ${c.iommu?.physBits}-bit addresses`);
  if (forces('iommu.pageSizes')) {
    wants.push(`has an IOMMU with pages of ${formatList((c.iommu?.pageSizes ?? []).map(formatSize))}`);
  }
  if (forces('iommu.iovaBits')) wants.push('has too few IOVAs');
  if (forces('iommu.iovaBudgetBytes')) wants.push(`may map ${formatSize(c.iommu?.iovaBudgetBytes ?? 0)} in all`);
  const ofPages = (['contiguous', 'maxSegments', 'windows', 'addressLimit', 'dmaMask', 'alignmentBytes'] as const).some(
    forces,
  );
  if (ofPages && c.iommu === undefined) wants.push(`needs ${memoryFor(c, forces)}`, 'has no IOMMU');
  else if (forces('maxSegments')) wants.push(`takes at most ${c.maxSegments} segments`);
  return `${c.device} ${wants.join(' and ')}`;
}

/** All that a device without an IOMMU asks of pages, not only what forced the heap: it explains the heap's kind. */
function memoryFor(c: DeviceConstraints, forces: (field: ConstraintFact['field']) => boolean): string {
  let memory = c.contiguous ? 'contiguous memory' : 'memory';
  if (c.maxSegments !== undefined && (!c.contiguous || forces('maxSegments'))) {
    memory += c.maxSegments === 1 ? ' in one segment' : ` in at most ${c.maxSegments} segments`;
    if (forces('maxSegmentBytes')) memory += ` of up to ${formatSize(c.maxSegmentBytes ?? 0)}`;
    if (forces('segmentBoundaryMask'))
      memory += ` that cross no multiple of ${formatSize((c.segmentBoundaryMask ?? 0) + 1)}`;
  }
  if (c.windows !== undefined) memory += ` within ${formatList(c.windows.map(formatWindow))}`;
  else if (c.dmaMask !== undefined || c.addressLimit !== undefined)
    memory += ` up to ${formatAddress(highestIssued(c))}`;
  if (forces('alignmentBytes')) memory += ` aligned to ${formatSize(c.alignmentBytes ?? 1)}`;
  return memory;
}

function whyLost(verdict: HeapVerdict & { readonly suits: false }): string {
  const { heap, device } = verdict;
  switch (verdict.field) {
    case 'dmaMask':
    case 'addressLimit':
    case 'physLimit':
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
