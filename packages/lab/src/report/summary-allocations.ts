/** What allocating cost: at creation, at first use, for a move; from the page allocator or from a pool. */
import type { RunResult } from '../result/index.js';
import { table, wrap } from './text-layout.js';
import { formatBytes, formatDuration } from './units.js';

const WHEN: Readonly<Record<RunResult['allocations'][number]['kind'], string>> = {
  eager: 'at creation',
  deferred: 'at first use',
  move: 'for a move',
};

/** A table of allocations, and a line for each pool and each queue of freed pages; empty without allocations. */
export function allocationLines({ allocations, heaps }: RunResult): string[] {
  if (allocations.length === 0) return [];
  const rows = allocations.map(({ heap, kind, pooled, count, bytes, minNs, p50Ns, maxNs }) => [
    heap,
    WHEN[kind],
    pooled ? 'pool' : 'pages',
    `${count}`,
    formatBytes(bytes),
    ...[minNs, p50Ns, maxNs].map(formatDuration),
  ]);
  const head = ['allocated in', 'when', 'from', 'count', 'bytes', 'min', 'median', 'max'];
  const lines = table([head, ...rows], 'lllrrrrr');
  for (const { name, pool, deferredFree } of heaps) {
    if (pool !== undefined) {
      const text = `The pool of ${name} had ${pool.hits} of the ${pool.hits + pool.misses} blocks asked of it, and holds ${formatBytes(pool.bytesAtEnd)}.`;
      lines.push(...wrap(text, '  ', '    '));
    }
    if (deferredFree !== undefined) {
      const text = `${formatBytes(deferredFree.zeroedBytes)} freed in ${name} were zeroed in the background.`;
      lines.push(...wrap(text, '  ', '    '));
    }
  }
  return lines;
}
