import type { RunResult } from '../result/index.js';

type Corruption = NonNullable<RunResult['corruptions']>[number];

/** What was overwritten, in words, and what became of it. */
export function corruptionSubject({ buffer, pool, timeline, frame, link, queue }: Corruption): string {
  if (timeline !== undefined) return `a timeline of ${timeline.device} was given up`;
  if (frame !== undefined) return `frame ${frame} of ${pool} was given up`;
  if (link !== undefined) return `the link from ${link.from} to ${link.to} was ended`;
  if (queue !== undefined) return `the queue of ${queue} was served all the same`;
  if (buffer !== undefined) return `${buffer} was given up`;
  return `pool ${pool} was given up`;
}
