/** The two sections on buffers: where they were at first, and what devices that came later changed. */
import type { BufferResult, MoveResult, RunResult } from '../result/index.js';
import { wrap } from './text-layout.js';
import { formatBytes, formatDuration, formatList, formatMoment, plural } from './units.js';

/** Attaches of a device to the buffers of a pool count as one arrival if no more than this lies between them. */
const ARRIVAL_GAP_NS = 1_000_000_000;
/** Moves beyond these are added up. */
const MOVES_SHOWN = 12;

/** Where the buffers of each pool were placed first, and why. */
export function placementLines({ buffers, pools }: RunResult): string[] {
  const names = [...new Set([...pools.map(({ name }) => name), ...buffers.map(({ pool }) => pool)])];
  return names.flatMap((pool) => {
    const own = buffers.filter((buffer) => buffer.pool === pool);
    const placed = new Map<string, BufferResult[]>();
    for (const buffer of own) {
      const first = buffer.placements[0];
      if (first !== undefined) placed.set(first.heap, [...(placed.get(first.heap) ?? []), buffer]);
    }
    const lines = [...placed].flatMap(([heap, group]) => {
      const { atNs, why } = group[0].placements[0];
      const size = `${plural(group.length, 'buffer')} of ${formatBytes(group[0].sizeBytes)}`;
      return [
        ...wrap(`${pool}: ${size}, first placed in heap ${heap} at ${formatMoment(atNs)}.`, '  ', '    '),
        ...wrap(`Why: ${why}`, '    ', '      '),
      ];
    });
    const unused = own.filter(({ placements }) => placements.length === 0).length;
    if (unused > 0)
      lines.push(`  ${pool}: ${plural(unused, 'buffer')} never given memory: not used, or no heap had room.`);
    return lines;
  });
}

/** What the arrival of late devices changed, and every move. */
export function changeLines(result: RunResult): string[] {
  const arrivals = lateArrivals(result);
  const moves = allMoves(result);
  if (arrivals.length === 0 && moves.length === 0) {
    return ['  Nothing: no device came late, and no buffer had to move.'];
  }
  const lines = arrivals.flatMap(arrivalLines);
  const told = new Set<string>();
  const explained = new Set(arrivals.map(({ pool, forcedBy }) => `${pool} ${forcedBy.join()}`));
  for (const { buffer, move } of moves.slice(0, MOVES_SHOWN)) {
    const { from, to, forcedBy, reason } = move;
    const group = `${buffer.pool} ${from} ${to} ${forcedBy.join()}`;
    if (!told.has(group)) {
      told.add(group);
      const by = forcedBy.length > 0 ? `, forced by ${formatList(forcedBy)}` : '';
      lines.push(
        ...wrap(
          `Moves of ${buffer.pool} (${formatBytes(buffer.sizeBytes)} each) from ${from} to ${to}${by}:`,
          '  ',
          '    ',
        ),
      );
      const isKnown = forcedBy.length > 0 && explained.has(`${buffer.pool} ${forcedBy.join()}`);
      if (!isKnown) lines.push(...wrap(`Why: ${reason}`, '    ', '      '));
    }
    lines.push(...moveLines(buffer.name, move));
  }
  lines.push(...restLine(moves.slice(MOVES_SHOWN).map(({ move }) => move)));
  return lines;
}

type Attach = RunResult['attaches'][number];

/** Attaches of devices that came to a pool whose buffers had a place already. Those that are alike count as one. */
function lateArrivals({ attaches, buffers }: RunResult): Attach[] {
  const groups: (Attach & { lastNs: number })[] = [];
  for (const attach of [...attaches].sort((a, b) => a.atNs - b.atNs)) {
    const { device, pool, outcome, atNs } = attach;
    const placedNs = buffers.flatMap((b) => (b.pool === pool && b.placements[0] ? [b.placements[0].atNs] : []));
    const firstNs = Math.min(...attaches.flatMap((a) => (a.device === device && a.pool === pool ? [a.atNs] : [])));
    const isLate = placedNs.length > 0 && firstNs > Math.min(...placedNs);
    if (!isLate && outcome !== 'refused') continue;
    const group = groups.findLast((g) => g.device === device && g.pool === pool && g.outcome === outcome);
    if (group !== undefined && atNs - group.lastNs <= ARRIVAL_GAP_NS) {
      group.buffers += attach.buffers;
      group.lastNs = atNs;
    } else groups.push({ ...attach, lastNs: atNs });
  }
  return groups;
}

function arrivalLines({ device, pool, atNs, buffers, outcome, why, forcedBy }: Attach): string[] {
  const when = `At ${formatMoment(atNs)} ${device}`;
  const them = plural(buffers, 'buffer');
  switch (outcome) {
    case 'compatible':
      return [
        ...wrap(
          `${when} joined ${pool}: ${them} could stay where ${buffers === 1 ? 'it was' : 'they were'}.`,
          '  ',
          '    ',
        ),
        ...wrap(`Why: ${why}`, '    ', '      '),
      ];
    case 'refused':
      return [
        ...wrap(`${when} could NOT join ${pool}: refused for ${them}, all else stayed as it was.`, '  ', '    '),
        ...wrap(`Why: ${why}`, '    ', '      '),
      ];
    case 'will-move': {
      const by = forcedBy.length > 0 ? `, forced by ${formatList(forcedBy)}` : '';
      return [
        ...wrap(`${when} joined ${pool}: ${them} ${buffers === 1 ? 'has' : 'have'} to move${by}.`, '  ', '    '),
        ...wrap(`Why: ${why}`, '    ', '      '),
      ];
    }
  }
}

interface MoveOf {
  readonly buffer: BufferResult;
  readonly move: MoveResult;
}

function allMoves({ buffers }: RunResult): MoveOf[] {
  const moves = buffers.flatMap((buffer) => buffer.moves.map((move) => ({ buffer, move })));
  return moves.sort((a, b) => a.move.requestedNs - b.move.requestedNs || a.move.endNs - b.move.endNs);
}

function moveLines(name: string, move: MoveResult): string[] {
  const { startNs, drainedNs, endNs, outcome, error, waited, notified = [], stalled } = move;
  const took = formatDuration(endNs - startNs);
  const head = `${formatMoment(startNs)} ${name}:`;
  const stalls = stalled.map(({ device, ns }) => `${device} stalled ${formatDuration(ns)}`);
  if (outcome === 'moved') {
    const holders = [...new Set(waited.map(({ device }) => device))];
    const free = holders.length > 0 ? `${formatList(holders)} let go` : 'free';
    const wait = `${formatDuration(drainedNs - startNs)} until ${free}, ${formatDuration(endNs - drainedNs)} copy`;
    const told = notified.length > 0 ? [`moveNotify told ${formatList(notified)}`] : [];
    const parts = [drainedNs > startNs ? `${took} (${wait})` : took, ...told, ...stalls];
    return wrap(`${head} ${parts.join('; ')}`, '    ', '      ');
  }
  const held = error && error.holders.length > 0 ? `, held by ${formatList(error.holders)}` : '';
  const result = outcome === 'timed-out' ? `GAVE UP after ${took}${held}` : `REFUSED after ${took}${held}`;
  const why = error === undefined ? '' : ` (${error.code}: ${error.message.replace(`Cannot move ${name}: `, '')})`;
  return wrap(`${head} ${[`${result}${why}`, ...stalls].join('; ')}`, '    ', '      ');
}

function restLine(moves: readonly MoveResult[]): string[] {
  if (moves.length === 0) return [];
  const failed = moves.filter(({ outcome }) => outcome !== 'moved').length;
  const longest = Math.max(...moves.map(({ startNs, endNs }) => endNs - startNs));
  const how = failed === 0 ? 'all done' : `${failed} of them failed`;
  return wrap(
    `… and ${plural(moves.length, 'move')} more, ${how}; the longest took ${formatDuration(longest)}.`,
    '    ',
    '      ',
  );
}
