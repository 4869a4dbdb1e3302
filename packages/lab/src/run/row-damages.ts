/** Frames, pools, rings and queues whose control words somebody has overwritten, with the names that the scenario has for them. */
import type { AtomicWords } from '@dmabuf-lab/core/base';
import { type RowDamage, RowWatch } from '@dmabuf-lab/core/driver';
import { RuntimeWords } from '@dmabuf-lab/core/runtime';
import type { RunResult } from '../result/index.js';
import type { ExporterReport } from './exporter-actor.js';
import type { PreparedRun } from './prepare.js';

type Corruption = NonNullable<RunResult['corruptions']>[number];

/** Looks at the guard words of a run. */
export function watchRows({ tables }: Pick<PreparedRun, 'tables'>, words: AtomicWords): RowWatch {
  const runtime = new RuntimeWords(words);
  return new RowWatch(words, tables, () => runtime.started);
}

/** @param exporter absent = it has not come to report: buffers are called by their slots */
export function rowDamages(
  damages: readonly RowDamage[],
  prepared: PreparedRun,
  exporter?: Pick<ExporterReport, 'buffers'>,
): Corruption[] {
  return damages.map(({ table, row, what, seenNs }) => {
    const named = NAMES[table](row, prepared, exporter);
    return { ...named, what: `${table} row ${row}: ${what}`, seenNs, devices: [] };
  });
}

type Named = Pick<Corruption, 'frame' | 'pool' | 'link' | 'queue'>;
type NameOf = (row: number, prepared: PreparedRun, exporter?: Pick<ExporterReport, 'buffers'>) => Named;

const NAMES: Readonly<Record<RowDamage['table'], NameOf>> = {
  frame: (row, { pools }) => {
    const pool = [...pools.values()].find(({ region: { firstFrame, limit } }) => row < firstFrame + limit);
    return pool === undefined ? {} : { pool: pool.name, frame: row - pool.region.firstFrame };
  },
  pool: (row, { pools }) => {
    const pool = [...pools.values()].find(({ region }) => region.row === row);
    return pool === undefined ? {} : { pool: pool.name };
  },
  ring: (row, { links }) => ({ link: { from: links[row].from, to: links[row].to } }),
  queue: (row, { tables }, exporter) => {
    if (row === tables.queues.rows - 1) return { queue: 'the copy engine' };
    return { queue: exporter?.buffers.findLast(({ slot }) => slot === row)?.name ?? `buffer slot ${row}` };
  },
};
