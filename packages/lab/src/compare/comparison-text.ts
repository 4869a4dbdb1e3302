/** The comparison of policies as a table, and below it why devices were refused. */
import { table, wrap } from '../report/text-layout.js';
import { formatBytes, formatDuration } from '../report/units.js';
import type { Comparison, PolicyRow } from './compare-policies.js';

const TITLES: Readonly<Record<PolicyRow['policy'], string>> = {
  constraints: 'constraint-directed (cenalloc)',
  heap: 'heap-directed (dma-buf heaps)',
  ion: 'mask and priority (ION)',
  device: 'one device allocates',
};

/** @returns lines, each ending with a newline */
export function comparisonText({ scenario, policies }: Comparison): string {
  const head = ['who chooses', 'by', 'peak of heaps', 'reached', 'refused', 'moves', 'copied', 'stalled', 'luck'];
  const rows = policies.map((row) => [
    TITLES[row.policy],
    row.chosenBy,
    Object.entries(row.heaps)
      .map(([heap, bytes]) => `${heap} ${formatBytes(bytes)}`)
      .join(', '),
    Object.entries(row.framesAtEnds)
      .map(([device, frames]) => `${device} ${frames}`)
      .join(', '),
    row.error === undefined ? [...new Set(row.refused.map(({ device }) => device))].join(', ') || '-' : 'FAILED',
    `${row.moves}`,
    row.bytesCopied === 0 ? '0' : formatBytes(row.bytesCopied),
    formatDuration(row.stallNs),
    `${row.hazards}`,
  ]);
  const lines = [
    `${scenario} under ${policies.length} ways to choose the heap`,
    '',
    ...table([head, ...rows], 'lllllrrrr'),
  ];
  const reasons = policies.flatMap((row) => [
    ...(row.error === undefined ? [] : [`${TITLES[row.policy]}: ${row.error}`]),
    ...row.refused.map(({ device, pool, why }) => `${TITLES[row.policy]}: ${device} is refused at ${pool}: ${why}`),
  ]);
  if (reasons.length > 0) lines.push('', ...[...new Set(reasons)].flatMap((reason) => wrap(reason, '  ', '    ')));
  return `${lines.join('\n')}\n`;
}
