/** Orders in which devices have locked reservations plainly (`debug.reservationLocks: plain`), and those that contradict each other. */
import { type ActorId, type AtomicWords, actorId } from '@dmabuf-lab/core/base';
import { openTables } from '@dmabuf-lab/core/driver';
import { type LockedBuffer, LockOrder } from '@dmabuf-lab/core/sync';
import type { RunResult } from '../result/index.js';
import type { ExporterReport } from './exporter-actor.js';
import type { PreparedRun } from './prepare.js';

type Incident = RunResult['incidents'][number];

/** What was seen of the orders of a run. */
export interface LockOrderFindings {
  /** One for each pair of orders that contradict each other: of several that differ in the buffers of the same pools, the first. */
  readonly incidents: Incident[];
  /** Orders for which there was no room. */
  readonly lost: number;
}

/**
 * Puts the orders of a run together, after its end; undefined where nobody locks plainly.
 *
 * @param exporter absent = it has not come to report: buffers are named by their frames
 */
export function lockOrdersOf(
  prepared: PreparedRun,
  words: AtomicWords,
  exporter?: Pick<ExporterReport, 'buffers'>,
): LockOrderFindings | undefined {
  const { tables, owners, actors } = prepared;
  const { lockOrders } = openTables(words, tables, actorId(1));
  if (lockOrders === undefined) return undefined;
  const actorOf = (lane: number): ActorId => actorId(Math.floor(lane / owners.lanesPerActor) + 1);
  const deviceOf = (lane: number): string => actors.find(({ id }) => id === actorOf(lane))?.name ?? `lane ${lane}`;
  const framesOf = nameByFrames(prepared, words);
  const nameOf = (buffer: LockedBuffer): string =>
    exporter?.buffers.find(({ slot, life }) => slot === buffer.slot && life === buffer.life)?.name ?? framesOf(buffer);
  // A producer that was started again exports other buffers by the same names: orders of these do not contradict the old ones.
  const names = new Map<string, string>();
  const named = (buffer: LockedBuffer): string => {
    const key = keyOf(buffer);
    if (!names.has(key)) names.set(key, nameOf(buffer));
    return key;
  };
  const order = new LockOrder();
  const told = new Set<string>();
  const incidents: Incident[] = [];
  for (const { lane, life, from, to, atNs } of lockOrders.read()) {
    const device = deviceOf(lane);
    const by = `${device}/lane ${(lane % owners.lanesPerActor) + 1}`;
    const cycle = order.ordered(named(from), named(to), by);
    if (cycle === undefined) continue;
    const path = cycle.path.map((one, i) => (i % 2 === 0 ? one : (names.get(one) ?? one)));
    const alike = kindOf(path);
    if (told.has(alike)) continue;
    told.add(alike);
    incidents.push({ kind: 'lock-order', device, atNs, life, why: path.join(' -> ') });
  }
  return { incidents, lost: lockOrders.lost };
}

/** A cycle without the numbers of buffers in their pools, from wherever it is begun. */
function kindOf(path: readonly string[]): string {
  const steps: string[] = [];
  for (let i = 0; i + 1 < path.length; i += 2) steps.push(`${path[i]} ${path[i + 1].replace(/\[\d+\]$/, '')}`);
  return steps.sort().join(', ');
}

/** Which buffer it is, whatever its name. */
function keyOf({ slot, life }: LockedBuffer): string {
  return `${slot}/${life}`;
}

/** Names the buffers that frames have now. */
function nameByFrames({ tables, pools }: PreparedRun, words: AtomicWords): (buffer: LockedBuffer) => string {
  const { frames } = openTables(words, tables, actorId(1));
  const names = new Map<string, string>();
  for (const { name, region } of pools.values()) {
    for (let i = 0; i < frames.count(region); i += 1) {
      if (frames.isLost(region.firstFrame + i)) continue; // nobody knows which it had
      names.set(keyOf(frames.buffer(region.firstFrame + i)), `${name}[${i}]`);
    }
  }
  return (buffer) => names.get(keyOf(buffer)) ?? `buffer slot ${buffer.slot}, life ${buffer.life}`;
}
