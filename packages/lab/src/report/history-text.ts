/** What broke the rules of sharing, and the history of the buffer that explains it. */
import type { RunResult } from '../result/index.js';
import { table, wrap } from './text-layout.js';
import { plural } from './units.js';

type History = NonNullable<RunResult['history']>;
type Events = History['violations'][number]['history'];

/** The events of a buffer, one a line; empty when there are none. */
export function historyRows(history: Events): string[] {
  const rows = history.map((one) => [
    `${(one.timeNs / 1000).toFixed(3)} µs`,
    `${one.actor}${one.life > 0 ? ` (life ${one.life})` : ''}, lane ${one.lane}`,
    one.event,
  ]);
  if (rows.length === 0) return [];
  return ['  What happened to the buffer since its last good state:', ...table(rows, 'rll', '    ')];
}

/** Empty when nobody looked; one line when nothing was found. */
export function historyLines({ history }: Pick<RunResult, 'history'>): string[] {
  if (history === undefined) return [];
  const { events, violationCount, violations } = history;
  if (violationCount === 0) return [`  No violation in ${plural(events, 'event')}.`];
  const lines = violations.flatMap(({ text, slot, device, history: explained }) => {
    const about = slot === undefined ? '' : `Buffer in slot ${slot}: `;
    return [...wrap(`${about}${text}, found by ${device}`, '  ', '    '), ...historyRows(explained)];
  });
  if (violationCount > violations.length) lines.push(`  … and ${violationCount - violations.length} more`);
  return lines;
}
