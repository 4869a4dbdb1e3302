/** What a buffer went through before something was found that the histories do not see themselves. */
import { HistoryWords, historyOf, lastUser } from '../history/index.js';
import type { RunResult } from '../result/index.js';
import type { ExporterReport } from './exporter-actor.js';

type HistoryEvents = NonNullable<RunResult['history']>['violations'][number]['history'];

/**
 * @param buffer its name; undefined = there is none
 * @param devices that may have been it
 * @param untilNs when they had the right to its pages at last
 */
export type HistoryOfBuffer = (
  buffer: string | undefined,
  devices: readonly string[],
  untilNs: number,
) => { readonly history?: HistoryEvents };

/** Finds the histories of buffers by name; nothing where nobody followed them, or nothing of it is kept. */
export function historyOfBuffers(
  board: ConstructorParameters<typeof HistoryWords>[0] | undefined,
  { buffers }: Pick<ExporterReport, 'buffers'>,
  nameOf: (actor: number) => string,
): HistoryOfBuffer {
  if (board === undefined) return () => ({});
  const words = new HistoryWords(board);
  return (name, devices, untilNs) => {
    // Of several of one name, as a driver that is started again makes, the last one that somebody of them has used.
    for (const buffer of buffers.filter((one) => one.name === name).reverse()) {
      const culprit = lastUser(words, buffer, devices, untilNs, nameOf);
      if (culprit === undefined) continue;
      const { slot, life } = buffer;
      return { history: historyOf(words, { slot, life, culprit, lane: culprit, text: '' }, nameOf) };
    }
    return {};
  };
}
