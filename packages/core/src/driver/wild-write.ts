/** A fault of the scenario: a driver whose index has run away writes over control words. */
import {
  type AtomicWords,
  type Nanoseconds,
  type RandomStream,
  type TableRegion,
  type Task,
  wordAt,
} from '../base/index.js';
import type { DmaBufAttachment, DmaBufImporter } from '../dma-buf/index.js';
import type { ActorHost } from '../runtime/index.js';
import type { SharedTables } from './shared-tables.js';
import type { DeviceStatistics } from './statistics.js';

/**
 * The first word of each row that is written over. Those before are counts and states that every device relies on without a look,
 * and whose owners assert what they find: a write over those ends the run, as one over the kernel's own words would.
 */
const FIRST_WORD = { buffers: 2, attachments: 4 } as const;

/** Writes once, at its time: over the end of the row of a buffer, or of an attachment, that the device knows. */
export function* writeWildly(
  host: ActorHost,
  tables: SharedTables,
  importer: DmaBufImporter,
  statistics: DeviceStatistics,
  atNs: Nanoseconds,
): Task<void> {
  if (!(yield* host.untilScenarioTime(atNs))) return;
  const known = [...importer.attachments].filter(({ detached }) => !detached);
  if (known.length === 0) return;
  const random = host.random(`wild write at ${atNs}`);
  const { table, row, slot } = drawRow(known, random);
  overwriteEnd(host.words, tables[table], row, FIRST_WORD[table], random);
  statistics.count('wildWrites');
  host.trace.add({ track: host.name, name: `wild write: ${table}`, startNs: host.clock.now(), args: { row, slot } });
}

function drawRow(
  known: readonly DmaBufAttachment[],
  random: RandomStream,
): { table: keyof typeof FIRST_WORD; row: number; slot: number } {
  const { buffer, slot } = known[random.integer(known.length)];
  const table = random.integer(2) === 0 ? 'buffers' : 'attachments';
  return { table, row: table === 'buffers' ? buffer.slot : slot, slot: buffer.slot };
}

/** From a word that is drawn to the end of the row, with what is drawn. */
function overwriteEnd(words: AtomicWords, table: TableRegion, row: number, first: number, random: RandomStream): void {
  const from = first + random.integer(table.rowWords - first);
  for (let column = from; column < table.rowWords; column += 1) {
    words.store(wordAt(table, row, column), random.integer(0x7fff_ffff) | 0);
  }
}
