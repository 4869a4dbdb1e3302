/** An explanation as text for a terminal: where, why, who forced it, what would have to change. */
import type { ConstraintFact, LayoutResult, PlacementResult, SharingExplanation } from '@dmabuf-lab/core/constraints';
import { describeLayoutFact } from '@dmabuf-lab/core/constraints';
import { table, wrap } from '../report/text-layout.js';
import { formatBytes } from '../report/units.js';
import type { Explanation, PoolExplanation } from './explain.js';
import { outcomeText } from './outcome-text.js';

/** @returns lines, each ending with a newline */
export function explanationText({ file, whatIf, pools, overcommitted }: Explanation): string {
  const lines = whatIf.length === 0 ? [file] : [`${file}, if ${whatIf.join(' and ')}`];
  for (const pool of pools) lines.push('', ...poolLines(pool));
  for (const { heap, pools: asking, neededBytes, sizeBytes } of overcommitted) {
    const sizes = `${formatBytes(neededBytes)} are needed, and it has ${formatBytes(sizeBytes)}`;
    lines.push('', ...wrap(`${heap} is too small for ${asking.join(' and ')} together: ${sizes}.`, '', '  '));
  }
  return `${lines.join('\n')}\n`;
}

function poolLines({ pool, devices, sharing, forecasts }: PoolExplanation): string[] {
  const lines = [`${pool}: shared by ${devices.join(', ') || 'nobody'}`];
  lines.push(...section('LAYOUT', layoutLines(sharing.layout)));
  if (sharing.placement !== undefined) lines.push(...section('PLACE', placementLines(sharing.placement, sharing)));
  lines.push(...section('REPAIRS', repairLines(sharing)));
  lines.push(...section('HAZARDS', paragraphs(sharing.hazards.map(({ kind, message }) => `${kind}: ${message}`))));
  lines.push(...section('WITHOUT ASKING', withoutAskingLines(sharing)));
  for (const { present, attach, detach } of forecasts) {
    const whose = present.length === devices.length ? '' : ` TO ${present.join(', ') || 'nobody'}`;
    lines.push(...section(`IF ${attach.device} ATTACHED LATE${whose}: ${attach.action}`, paragraphs([attach.prose])));
    if (detach === undefined) continue;
    lines.push(...section(`IF ${detach.device} LEFT AGAIN: ${detach.action}`, paragraphs([detach.prose])));
  }
  return lines;
}

function section(title: string, body: readonly string[]): string[] {
  return body.length === 0 ? [] : ['', `  ${title}`, ...body];
}

function paragraphs(texts: readonly string[]): string[] {
  return texts.flatMap((text) => wrap(text, '    ', '      '));
}

function layoutLines(layout: LayoutResult): string[] {
  const lines = paragraphs([layout.prose]);
  const answer = layout.status === 'waiting' ? layout.soFar : layout;
  if (answer.status === 'agreed') {
    const rows = answer.planes.map(({ strideBytes, offsetBytes, rows: count, sizeBytes }, i) => {
      return [`plane ${i}`, `stride ${strideBytes}`, `offset ${offsetBytes}`, `${count} rows`, `${sizeBytes} bytes`];
    });
    lines.push(...table(rows, 'lrrrr', '    '));
    const { strideAlignmentBytes, strideBytes, sizeBytes, buffers } = answer.provenance;
    const resolved = { ...(strideAlignmentBytes && { strideAlignmentBytes }), strideBytes, sizeBytes, buffers };
    for (const [name, { value, operator, contributions, binding }] of Object.entries(resolved)) {
      if (contributions.length === 0) continue;
      const given = contributions.map((one) => `${one.device}.${one.field} ${one.value} (slack ${one.slack})`);
      lines.push(
        ...paragraphs([`${name} ${value} = ${operator} of ${given.join(', ')}; ${boundBy(contributions, binding)}`]),
      );
    }
    const rejected = answer.candidates.filter((candidate) => !candidate.suits);
    lines.push(
      ...paragraphs(
        rejected.slice(0, 6).map(({ format, modifier, message }) => `not ${format} ${modifier}: ${message}`),
      ),
    );
    return lines;
  }
  const conflicts = answer.conflicts.map(({ facts, why }, i) => {
    return `conflict ${i + 1}: ${facts.map(describeLayoutFact).join(' and ')}: ${why}`;
  });
  const { call, errno, text } = answer.predicted;
  return [...lines, ...paragraphs(conflicts), ...paragraphs([`Linux: ${outcomeText(call, errno)}: ${text}`])];
}

function placementLines(placement: PlacementResult, { room }: SharingExplanation): string[] {
  const { sizeBytes, buffers } = placement;
  const lines = paragraphs([`${buffers} of ${formatBytes(sizeBytes)}: ${placement.explanation.prose}`]);
  const rows = placement.candidates.map((verdict) => {
    const fits = room.find(({ heap }) => heap === verdict.heap)?.buffers ?? 0;
    const fate = verdict.suits ? 'suits' : verdict.message;
    return [verdict.heap, `${round(verdict.totalCost)}`, `${fits}`, fate];
  });
  lines.push(...table([['heap', 'cost', 'holds', ''], ...rows], 'lrrl', '    '));
  const list = (facts: readonly ConstraintFact[]): string =>
    facts.map(({ device, field }) => `${device}.${field}`).join(' and ');
  if (placement.status === 'placed') {
    for (const set of placement.forcedByAll) {
      lines.push(...paragraphs([`forced by ${list(set) || 'the room in less scarce heaps'}`]));
    }
    const unmet = placement.preferences.filter(({ met }) => !met);
    lines.push(
      ...paragraphs(
        unmet.map(({ device, field, wanted, cost }) => `${device} would rather: ${field} ${wanted}, cost ${cost}`),
      ),
    );
  } else {
    lines.push(
      ...paragraphs(
        placement.conflicts.map(
          (set, i) => `conflict ${i + 1}: ${list(set) || 'the size of the buffers, or their number'}`,
        ),
      ),
    );
    const sets = placement.conflictingDevices.filter((set) => set.length > 0);
    lines.push(...paragraphs(sets.map((set) => `cannot share: ${set.join(', ')}`)));
  }
  const { requirements } = placement.explanation;
  for (const [name, { operator, contributions, binding }] of Object.entries(requirements).filter(isResolved)) {
    if (contributions.length === 0) continue;
    const given = contributions.map((one) => `${one.device}.${one.field} (slack ${one.slack})`);
    lines.push(...paragraphs([`${name} = ${operator} of ${given.join(', ')}; ${boundBy(contributions, binding)}`]));
  }
  return lines;
}

/** Who decides a value: where several ask for the same, all of them together. */
function boundBy(
  contributions: readonly { readonly device: string; readonly slack: number }[],
  binding: readonly string[],
): string {
  if (binding.length > 0) return `bound by ${binding.join(', ')}`;
  const tight = contributions.filter(({ slack }) => slack === 0);
  if (tight.length === contributions.length) return 'all alike';
  return `bound by ${[...new Set(tight.map(({ device }) => device))].join(' and ')} together`;
}

interface Provenance {
  readonly operator: string;
  readonly contributions: readonly { readonly device: string; readonly field: string; readonly slack: number }[];
  readonly binding: readonly string[];
}

function isResolved(entry: [string, unknown]): entry is [string, Provenance] {
  return typeof entry[1] === 'object' && entry[1] !== null && 'operator' in entry[1];
}

function repairLines({ layout, repairs }: SharingExplanation): string[] {
  const answer = layout.status === 'waiting' ? layout.soFar : layout;
  const ofLayout =
    answer.status === 'agreed' ? [] : answer.repairs.map(({ change, cost }) => `${change} (cost ${round(cost)})`);
  const ofPlace = repairs.map(({ text, cost }) => {
    const price = Object.entries(cost).map(([what, value]) => PRICES[what]?.(value) ?? `${what} ${value}`);
    return price.length === 0 ? text : `${text} (${price.join(', ')})`;
  });
  return paragraphs([...ofLayout, ...ofPlace]);
}

/** What a repair costs, in words. */
const PRICES: Readonly<Record<string, (value: unknown) => string>> = {
  bytesPerFrame: (value) => `${value} bytes per frame`,
  bytesReserved: (value) => `${value} bytes set aside`,
  buffersFewer: (value) => `${value} fewer`,
  hardware: () => 'another device or board',
};

/** What Linux does when nobody negotiates. */
function withoutAskingLines({ predicted, policies }: SharingExplanation): string[] {
  const outcomes = predicted.map(({ device, call, errno, text }) => `${device}: ${outcomeText(call, errno)}: ${text}`);
  const others = policies.filter(({ policy, failures }) => policy !== 'constraints' && failures.length > 0);
  const named = others.map(({ policy, heap, why, failures, bytesPerFrame }) => {
    const who = [...new Set(failures.map(({ device }) => device))].join(', ');
    return `policy ${policy}: ${heap} (${why.replace(/\.$/, '')}); fails for ${who}, or ${bytesPerFrame} bytes a frame to copy`;
  });
  return paragraphs([...outcomes, ...new Set(named)].slice(0, 12));
}

const round = (value: number): number => Math.round(value * 1000) / 1000;
