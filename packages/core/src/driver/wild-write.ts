/** A fault of the scenario: a driver whose index has run away writes over control words. */
import {
  type AtomicWords,
  type Nanoseconds,
  type RandomStream,
  type TableRegion,
  type Task,
  wordAt,
} from '../base/index.js';
import type { DmaBufImporter } from '../dma-buf/index.js';
import type { ActorHost } from '../runtime/index.js';
import type { PoolRegion } from './frame-words.js';
import type { SharedTables } from './shared-tables.js';
import type { DeviceStatistics } from './statistics.js';

/** Of which table a device writes over a row; `buffers` stands for those of buffers and of attachments. */
export type WildTarget = 'buffers' | 'frames' | 'pools' | 'rings' | 'queues';

/** What a device knows and may write over. */
export interface WildReach {
  readonly tables: SharedTables;
  readonly importer: DmaBufImporter;
  /** The pools that its ports draw from, or whose frames its links carry. */
  readonly pools: readonly PoolRegion[];
  /** Numbers of its links. */
  readonly rings: readonly number[];
}

/** A row that it writes over, and the first of its words that may be: those before are left alone. */
interface WildRow {
  readonly name: string;
  readonly table: TableRegion;
  readonly row: number;
  readonly first: number;
}

/**
 * The first word of each row that is written over. Those before are counts and states that every device relies on without a look,
 * and whose owners assert what they find: a write over those ends the run, as one over the kernel's own words would. Of rings
 * and queues there are none, and of frames it is a word that nobody uses.
 */
const FIRST_WORD = { buffers: 2, attachments: 4, frames: 1, pools: 2, rings: 0, queues: 0 } as const;

/** Writes once, at its time: over the end of a row that the device knows. */
export function* writeWildly(
  host: ActorHost,
  reach: WildReach,
  statistics: DeviceStatistics,
  atNs: Nanoseconds,
  target: WildTarget = 'buffers',
): Task<void> {
  if (!(yield* host.untilScenarioTime(atNs))) return;
  const random = host.random(`wild write at ${atNs}`);
  const drawn = drawRow(reach, target, random);
  if (drawn === undefined) return;
  const { name, table, row, first } = drawn;
  overwriteEnd(host.words, table, row, first, random);
  statistics.count('wildWrites');
  host.trace.add({ track: host.name, name: `wild write: ${name}`, startNs: host.clock.now(), args: { row } });
}

/** @returns undefined when the device knows no such row */
function drawRow(
  { tables, importer, pools, rings }: WildReach,
  target: WildTarget,
  random: RandomStream,
): WildRow | undefined {
  const draw = <T>(from: readonly T[]): T => from[random.integer(from.length)];
  if (target === 'rings') {
    if (rings.length === 0) return undefined;
    return { name: target, table: tables.rings[draw(rings)].region, row: 0, first: FIRST_WORD.rings };
  }
  if (target === 'frames' || target === 'pools') {
    if (pools.length === 0) return undefined;
    const pool = draw(pools);
    const row = target === 'pools' ? pool.row : pool.firstFrame + random.integer(pool.limit);
    return { name: target, table: tables[target], row, first: FIRST_WORD[target] };
  }
  const known = [...importer.attachments].filter(({ detached }) => !detached);
  if (known.length === 0) return undefined;
  const { buffer, slot } = draw(known);
  if (target === 'queues') return { name: target, table: tables.queues, row: buffer.slot, first: FIRST_WORD.queues };
  const table = random.integer(2) === 0 ? 'buffers' : 'attachments';
  return { name: table, table: tables[table], row: table === 'buffers' ? buffer.slot : slot, first: FIRST_WORD[table] };
}

/** From the end of the row down to a word that is drawn, with what is drawn. So who looks meanwhile finds the guards first. */
function overwriteEnd(words: AtomicWords, table: TableRegion, row: number, first: number, random: RandomStream): void {
  const from = first + random.integer(table.rowWords - first);
  for (let column = table.rowWords - 1; column >= from; column -= 1) {
    words.store(wordAt(table, row, column), random.integer(0x7fff_ffff) | 0);
  }
}
