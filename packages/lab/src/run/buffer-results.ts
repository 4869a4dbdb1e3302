/** What the exporter reports of buffers, as the result tells it. */
import type { DeviceReport } from '@dmabuf-lab/core/driver';
import { type RunResult, summarizeLatency } from '../result/index.js';
import type { ExporterReport } from './exporter-actor.js';

/** Every buffer with its places and moves. */
export function bufferResults(
  exporter: ExporterReport,
  devices: ReadonlyMap<string, DeviceReport>,
): RunResult['buffers'] {
  return exporter.buffers.map(({ name, pool, sizeBytes, placements, moves }) => ({
    name,
    pool,
    sizeBytes,
    placements: placements.map((placement) => ({ ...placement })),
    moves: moves.map(({ buffer: _, forcedBy, waited, notified, error, ...move }) => ({
      ...move,
      forcedBy: [...forcedBy],
      waited: waited.map((wait) => ({ ...wait })),
      ...(notified !== undefined && { notified: [...notified] }),
      stalled: stalledBy(name, move.startNs, move.endNs, devices),
      ...(error !== undefined && { error: { ...error, holders: [...error.holders] } }),
    })),
  }));
}

/** Which devices waited for a buffer while it was being moved, and how long of it. */
function stalledBy(
  buffer: string,
  startNs: number,
  endNs: number,
  devices: ReadonlyMap<string, DeviceReport>,
): { device: string; ns: number }[] {
  return [...devices].flatMap(([device, { stalls }]) => {
    let ns = 0;
    for (const stall of stalls) {
      if (stall.buffer !== buffer || stall.why !== 'moving') continue;
      ns += Math.max(0, Math.min(endNs, stall.endNs) - Math.max(startNs, stall.startNs));
    }
    return ns > 0 ? [{ device, ns }] : [];
  });
}

/** One line for each device and pool, where the buffers of a pool fared alike. */
export function attachResults(exporter: ExporterReport): RunResult['attaches'] {
  const results: RunResult['attaches'] = [];
  for (const { device, pool, atNs, outcome, why, forcedBy } of exporter.attaches) {
    const same = results.find(
      (r) => r.device === device && r.pool === pool && r.atNs === atNs && r.outcome === outcome,
    );
    if (same !== undefined) same.buffers += 1;
    else results.push({ device, pool, atNs, buffers: 1, outcome, why, forcedBy: [...forcedBy] });
  }
  return results;
}

/** One line for each device, pool and kind. */
export function hazardResults(exporter: ExporterReport): RunResult['hazards'] {
  const results: RunResult['hazards'] = [];
  for (const { kind, device, pool, heap, bytesPerMap, message } of exporter.hazards) {
    const same = results.find((r) => r.kind === kind && r.device === device && r.pool === pool && r.heap === heap);
    if (same === undefined) results.push({ kind, device, pool, buffers: 1, heap, bytesPerMap, message });
    else {
      same.buffers += 1;
      same.bytesPerMap = Math.max(same.bytesPerMap, bytesPerMap);
    }
  }
  return results;
}

/** What missing SYNCs have done, one line for each device, pool and kind. */
export function cpuCacheResults(
  exporter: ExporterReport,
  devices: ReadonlyMap<string, DeviceReport>,
): RunResult['hazards'] {
  const pools = new Map(exporter.buffers.map(({ name, pool }) => [name, pool]));
  return [...devices].flatMap(([device, { cpuFindings = [] }]) => {
    const groups = new Map<string, (typeof cpuFindings)[number][]>();
    for (const finding of cpuFindings) {
      const key = `${finding.kind} ${pools.get(finding.buffer)}`;
      groups.set(key, [...(groups.get(key) ?? []), finding]);
    }
    return [...groups.values()].map((alike) => {
      const [{ kind, buffer }] = alike;
      const sum = (of: 'pages' | 'accesses'): number => alike.reduce((all, one) => all + one[of], 0);
      const pool = pools.get(buffer) ?? '';
      const message = CPU_FINDINGS[kind](device, sum('pages'), sum('accesses'));
      return { kind, device, pool, buffers: alike.length, bytesPerMap: 0, message };
    });
  });
}

const CPU_FINDINGS = {
  'cpu-reads-stale': (device: string, pages: number, frames: number) =>
    `${device} read ${pages} pages of ${frames} frames that its cache had from before a device wrote them: it did not ` +
    'call DMA_BUF_IOCTL_SYNC, which only boards without coherent caches miss',
  'cpu-writes-late': (device: string, pages: number, frames: number) =>
    `${device} handed on ${frames} frames with ${pages} pages still in its cache, where no device sees them: it did not ` +
    'call DMA_BUF_IOCTL_SYNC, which only boards without coherent caches miss',
} as const;

/** Buffers that were placed by a map and moved later for a device that came after it. */
export function prematureMaps(exporter: ExporterReport): RunResult['prematureMaps'] {
  const results: RunResult['prematureMaps'] = [];
  for (const { pool, moves, firstMap } of exporter.buffers) {
    if (firstMap === undefined) continue;
    const forced = moves.filter(({ outcome, forcedBy }) => outcome === 'moved' && forcedBy.length > 0);
    if (forced.length === 0) continue;
    const forcedBy = [...new Set(forced.flatMap((move) => move.forcedBy))].sort();
    const bytes = forced.reduce((sum, move) => sum + move.bytes, 0);
    const same = results.find(
      (r) => r.pool === pool && r.mappedBy === firstMap.device && r.forcedBy.join() === forcedBy.join(),
    );
    if (same === undefined) {
      results.push({ pool, buffers: 1, mappedBy: firstMap.device, mappedNs: firstMap.atNs, forcedBy, bytes });
    } else {
      same.buffers += 1;
      same.bytes += bytes;
      same.mappedNs = Math.min(same.mappedNs, firstMap.atNs);
    }
  }
  return results;
}

/** Every heap at the end of the run. */
export function heapResults({ heaps }: ExporterReport): RunResult['heaps'] {
  return heaps.map(({ name, sizeBytes, peakBytes, freeBytes, largestFreeRunBytes, usedBytes, ...kept }) => {
    const { poolHits, poolMisses = 0, pooledBytes = 0, deferredBytes, backgroundZeroedBytes = 0 } = kept;
    return {
      name,
      sizeBytes,
      peakBytes,
      freeBytes,
      largestFreeRunBytes,
      fragmentation: freeBytes === 0 ? 0 : 1 - largestFreeRunBytes / freeBytes,
      bytesAtEnd: usedBytes,
      ...(poolHits !== undefined && { pool: { hits: poolHits, misses: poolMisses, bytesAtEnd: pooledBytes } }),
      ...(deferredBytes !== undefined && {
        deferredFree: { zeroedBytes: backgroundZeroedBytes, bytesAtEnd: deferredBytes },
      }),
    };
  });
}

/** How long allocations took, those alike together. */
export function allocationResults({ allocations }: ExporterReport): RunResult['allocations'] {
  const groups = new Map<string, ExporterReport['allocations'][number][]>();
  for (const one of allocations) {
    const key = `${one.heap} ${one.kind} ${one.pooledBytes > 0}`;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()].map((alike) => {
    const [{ heap, kind, pooledBytes }] = alike;
    return {
      heap,
      kind,
      pooled: pooledBytes > 0,
      bytes: alike.reduce((sum, one) => sum + one.bytes, 0),
      pooledBytes: alike.reduce((sum, one) => sum + one.pooledBytes, 0),
      ...summarizeLatency(alike.map(({ ns }) => ns)),
    };
  });
}
