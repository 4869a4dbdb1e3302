/** What a run that goes on has come to: put together from the words of its actors, and from what is watched from outside. */
import type { AtomicWords } from '@dmabuf-lab/core/base';
import type { AgeWatch } from '@dmabuf-lab/core/dma-buf';
import type { RowWatch } from '@dmabuf-lab/core/driver';
import { RuntimeWords } from '@dmabuf-lab/core/runtime';
import { HistoryWords } from '../history/index.js';
import type { RunCounts } from '../result/index.js';
import { CountWords } from './count-words.js';
import type { PreparedRun } from './prepare.js';

/** What is watched from outside. */
export interface OutsideWatches {
  readonly ages: Pick<AgeWatch, 'overdue' | 'dropped'> | undefined;
  readonly rows: Pick<RowWatch, 'damages'>;
}

/** @returns what tells the counts of now; undefined where nobody counts @param words the control words of the run */
export function runCounts(
  { counts, history, actors }: Pick<PreparedRun, 'counts' | 'history' | 'actors'>,
  words: AtomicWords,
  { ages, rows }: OutsideWatches,
): (() => RunCounts) | undefined {
  if (counts === undefined) return undefined;
  const counted = new CountWords(counts);
  const histories = history && new HistoryWords(history);
  const runtime = new RuntimeWords(words);
  return () => ({
    frames: counted.sum('frames'),
    moves: counted.ofExporter('moves'),
    deaths: actors.reduce((sum, { id }) => sum + runtime.deaths(id), 0),
    violations:
      counted.ofExporter('findings') +
      counted.sum('failures') +
      counted.sum('torn', (frames) => Math.min(frames, 1)) + // told once of each device
      rows.damages.length +
      (histories?.total('violations') ?? 0),
    overdue: ages === undefined ? 0 : ages.overdue.length + ages.dropped,
  });
}
