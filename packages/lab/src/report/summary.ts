/**
 * What happened in a run, in words for somebody who sees dmabuf-lab for the first time.
 *
 * Plain text in sections, no more than a screen for a small pipeline. It says only what the result says.
 */
import { basename } from 'node:path';
import { builtInDrivers } from '@dmabuf-lab/drivers';
import type { DeviceResult, RunResult } from '../result/index.js';
import { historyLines } from './history-text.js';
import { allocationLines } from './summary-allocations.js';
import { changeLines, placementLines } from './summary-buffers.js';
import { findingLines } from './summary-findings.js';
import { lifeLines } from './summary-lives.js';
import { table, wrap } from './text-layout.js';
import { formatBytes, formatDuration, formatList, formatMoment, formatRanges, plural } from './units.js';

/**
 * @param files.dir where the files of the run were written, as the user would name it; absent when none were
 * @returns lines, each ending with a newline
 */
export function summarize(result: RunResult, files: { readonly dir?: string } = {}): string {
  const sections: [string, string[]][] = [
    ['WHERE THE BUFFERS WERE', placementLines(result)],
    ['WHAT CHANGED', changeLines(result)],
    ['LIVES', lifeLines(result)],
    ['FINDINGS', findingLines(result)],
    ['HISTORY OF THE BUFFERS', historyLines(result)],
    ['FRAMES', frameLines(result)],
    ['LATENCY SINCE CAPTURE', latencyLines(result)],
    ['COST', costLines(result)],
    ['CHECKS', checkLines(result)],
    ['FILES', fileLines(result, files.dir)],
  ];
  const lines = headLines(result);
  for (const [title, body] of sections) if (body.length > 0) lines.push('', title, ...body);
  return `${lines.join('\n')}\n`;
}

function headLines(result: RunResult): string[] {
  const { scenario, durationNs, endNs, runtime, pace, payload, seed, endedBy, description } = result;
  const how = runtime === 'threads' ? `threads at ${pace === 'real' ? 'real-time' : 'full'} speed` : 'a virtual clock';
  const length = formatDuration(endedBy === 'interrupted' ? endNs : durationNs);
  const lines = wrap(`${scenario}: ${length} of model time on ${how}, payload ${payload}, seed ${seed}`, '', '  ');
  if (description !== undefined) lines.push(...wrap(description.trim().replace(/\s+/g, ' '), ''));
  if (endedBy === 'interrupted') {
    const text = `Interrupted at ${formatMoment(endNs)} of ${formatMoment(durationNs)}: the sources stopped, and the frames on their way went through.`;
    lines.push(...wrap(text, ''));
  }
  return lines;
}

function frameLines(result: RunResult): string[] {
  const devices = Object.entries(result.devices);
  if (devices.length === 0) return [];
  const rows = devices.map(([name, device]) => [
    name,
    `${device.framesIn}`,
    `${device.framesOut}`,
    `${device.framesDropped}`,
    formatDuration(device.stallNs),
    formatDuration(setUpNs(device)),
    deeds(device),
  ]);
  const head = ['device', 'in', 'out', 'dropped', 'stalled', 'set-up', ''];
  const lines = table([head, ...rows], 'lrrrrrl');
  const legend = 'stalled: waited while a buffer moved; set-up: waited until it was placed or its place was known';
  lines.push(...wrap(legend, '  '));
  lines.push(...ownDriverLines(devices));
  for (const [name, { droppedSequences, framesDropped }] of devices) {
    if (framesDropped > 0) lines.push(...dropLine(`Dropped by ${name}`, framesDropped, droppedSequences));
  }
  for (const { from, to, policy, dropped, droppedSequences } of result.links) {
    if (dropped > 0) lines.push(...dropLine(`Dropped on ${from} → ${to} (${policy})`, dropped, droppedSequences));
  }
  for (const [name, { counters }] of devices) lines.push(...vblankLines(name, counters));
  return lines;
}

/** Which devices run drivers of the user. */
function ownDriverLines(devices: readonly (readonly [string, DeviceResult])[]): string[] {
  const own = [...new Set(devices.map(([, { driver }]) => driver))].filter((it) => !Object.hasOwn(builtInDrivers, it));
  return own.flatMap((driver) => {
    const names = devices.filter(([, device]) => device.driver === driver).map(([name]) => name);
    return wrap(`Driver ${driver}: ${names.join(', ')}`, '  ', '    ');
  });
}

const dropLine = (where: string, count: number, ranges: RunResult['links'][number]['droppedSequences']): string[] =>
  wrap(`${where}: ${plural(count, 'frame')}, number ${formatRanges(ranges)}`, '  ', '    ');

/** Waits for the exporter that no move caused: the first placement of a buffer, and the answer where it is. */
function setUpNs({ stalls }: DeviceResult): number {
  return stalls.reduce((sum, { why, startNs, endNs }) => (why === 'moving' ? sum : sum + endNs - startNs), 0);
}

/** Counters that are told elsewhere, or in words of their own. */
const TOLD = [
  'ticks',
  'shown',
  'repeatedVblanks',
  'lateVblanks',
  'encoded',
  'refused',
  'videoFrames',
  'moveNotify',
  'cpuSyncNs',
];
const CHECKS = ['checksPassed', 'checksFailed'];
/** Counters of refusals by errno: `refusedEBUSY`. */
const REFUSAL = /^refused(?=E[A-Z]+$)/;

/** What a device did with its frames, by its counters. */
function deeds({ counters }: DeviceResult): string {
  const { ticks, shown, encoded, refused, moveNotify, cpuSyncNs } = counters;
  const said: string[] = [];
  if (ticks !== undefined) said.push(`${ticks} pictures due`);
  if (shown !== undefined) said.push(`${shown} shown`);
  if (encoded !== undefined) said.push(`${encoded} encoded`);
  if (refused) said.push(`${refused} refused${refusals(counters)}`);
  if (cpuSyncNs !== undefined) said.push(`${formatDuration(cpuSyncNs)} of cache maintenance`);
  if (moveNotify) said.push(`told of ${plural(moveNotify, 'move')}`);
  for (const [name, value] of Object.entries(counters)) {
    if (!TOLD.includes(name) && !CHECKS.includes(name) && !REFUSAL.test(name)) said.push(`${name} ${value}`);
  }
  return said.join(', ');
}

function refusals(counters: DeviceResult['counters']): string {
  const codes = Object.entries(counters).filter(([name]) => REFUSAL.test(name));
  if (codes.length === 0) return '';
  return ` (${codes.map(([name, value]) => `${name.replace(REFUSAL, '')} ${value}`).join(', ')})`;
}

function vblankLines(
  device: string,
  { shown, repeatedVblanks = 0, lateVblanks = 0 }: DeviceResult['counters'],
): string[] {
  if (shown === undefined) return [];
  if (repeatedVblanks === 0) return wrap(`${device} had a new picture at every vblank`, '  ', '    ');
  const because = 'because a new one was due and not there';
  const late =
    lateVblanks === 0
      ? 'never because a new one was late'
      : lateVblanks === repeatedVblanks
        ? because
        : `${lateVblanks} of them ${because}`;
  return wrap(`${device} showed a picture again at ${plural(repeatedVblanks, 'vblank')}, ${late}`, '  ', '    ');
}

function latencyLines({ latency }: RunResult): string[] {
  const measured = latency.filter(({ count }) => count > 0);
  if (measured.length === 0) return [];
  const rows = measured.map(({ from, to, what, count, ...l }) => [
    `${from} → ${what === to ? to : `${what} (${to})`}`,
    `${count}`,
    ...[l.minNs, l.p50Ns, l.p99Ns, l.maxNs].map(formatDuration),
  ]);
  return table([['', 'frames', 'min', 'median', 'p99', 'max'], ...rows], 'lrrrrr');
}

function costLines(result: RunResult): string[] {
  const { controlCalls, controlCallsByMethod, links, heaps } = result;
  const copied = copiedText(result);
  const handed = links.reduce((sum, { delivered }) => sum + delivered, 0);
  const methods = Object.entries(controlCallsByMethod).map(([method, count]) => `${method} ${count}`);
  const calls =
    `Control calls: ${controlCalls}${methods.length > 0 ? ` (${methods.join(', ')})` : ''}. They are made when a buffer is ` +
    `created, attached, placed, moved or refused; none was needed to hand on ${plural(handed, 'frame')}, so they do not ` +
    'grow with the frames.';
  const lines = [...wrap(copied, '  ', '    '), ...wrap(calls, '  ', '    ')];
  if (heaps.length > 0) {
    const rows = heaps.map(({ name, sizeBytes, peakBytes, bytesAtEnd }) => [
      name,
      ...[sizeBytes, peakBytes, bytesAtEnd].map(formatBytes),
    ]);
    lines.push(...table([['heap', 'size', 'peak use', 'left at the end'], ...rows], 'lrrr'));
  }
  return [...lines, ...allocationLines(result)];
}

/** By whom bytes were copied: moves that succeeded, and moves that were given up after their copy. */
function copiedText({ bytesCopied, moves, buffers }: RunResult): string {
  if (bytesCopied === 0) return 'Copied: nothing. No buffer moved, and handing on a frame copies none of it.';
  const moved = buffers.flatMap((buffer) => buffer.moves.filter(({ outcome }) => outcome === 'moved'));
  const bytes = moved.reduce((sum, move) => sum + move.bytes, 0);
  const share = bytes === bytesCopied ? 'all of it' : `${formatBytes(bytes)} of it`;
  return `Copied: ${formatBytes(bytesCopied)}, ${share} by ${plural(moves, 'move')} of buffers; handing on a frame copies none of it.`;
}

function checkLines({ devices, ledger, leaks = [], expectations }: RunResult): string[] {
  const sum = (counter: string): number => Object.values(devices).reduce((n, d) => n + (d.counters[counter] ?? 0), 0);
  const [passed, failed] = [sum('checksPassed'), sum('checksFailed')];
  const contents =
    passed + failed === 0
      ? 'Contents: no frame was checked.'
      : `Contents: ${plural(passed, 'check')} of frames passed, ${failed} failed${failed > 0 ? ': a frame was torn, stale or damaged' : ''}.`;
  const lines = [...wrap(contents, '  ', '    '), ...wrap(ledgerText(ledger), '  ', '    ')];
  for (const leak of leaks) lines.push(...wrap(leakText(leak), '    ', '      '));
  if (expectations.length === 0) return lines;
  const broken = expectations.filter(({ ok }) => !ok);
  lines.push(
    broken.length === 0
      ? `  Expectations: ${expectations.length === 1 ? 'the one there is holds' : `all ${expectations.length} hold`}.`
      : `  Expectations: ${broken.length} of ${expectations.length} FAILED:`,
  );
  for (const { path, expected, actual } of broken) {
    lines.push(...wrap(`${path}: expected ${expectedText(expected)}, got ${valueText(actual)}`, '    ', '      '));
  }
  return lines;
}

const LEDGER_NOUNS = {
  attachments: ['attachment', 'attachments'],
  mappings: ['mapping', 'mappings'],
  pendingFences: ['pending fence', 'pending fences'],
  iovaRanges: ['device address range', 'device address ranges'],
  frames: ['frame', 'frames'],
  faults: ['IOMMU fault', 'IOMMU faults'],
} as const;

function ledgerText(ledger: RunResult['ledger']): string {
  if (ledger.empty) return 'Ledger: empty. No buffer, mapping, attachment, fence, frame or address range is left.';
  const left: string[] = [];
  if (ledger.buffers > 0) left.push(plural(ledger.buffers, 'buffer'));
  if (ledger.bytes > 0) left.push(`${formatBytes(ledger.bytes)} of memory`);
  for (const [key, [one, many]] of Object.entries(LEDGER_NOUNS)) {
    const count = ledger[key as keyof typeof LEDGER_NOUNS];
    if (count > 0) left.push(plural(count, one, many));
  }
  return `Ledger: NOT EMPTY, this leaked: ${formatList(left)}.`;
}

function leakText({ device, attached, mapped, ...left }: NonNullable<RunResult['leaks']>[number]): string {
  const parts: string[] = [];
  if (attached.length > 0) parts.push(`attached to ${formatList(attached)}`);
  for (const [key, [one, many]] of Object.entries(LEDGER_NOUNS)) {
    const count = left[key as keyof typeof left] ?? 0;
    if (count > 0) parts.push(plural(count, one, many) + (key === 'mappings' ? ` of ${formatList(mapped)}` : ''));
  }
  return `${device}: ${parts.join(', ')}`;
}

function expectedText(expected: unknown): string {
  if (typeof expected !== 'object' || expected === null) return valueText(expected);
  const { min, max, equals } = expected as { min?: unknown; max?: unknown; equals?: unknown };
  const parts: string[] = [];
  if (equals !== undefined) parts.push(valueText(equals));
  if (min !== undefined) parts.push(`at least ${valueText(min)}`);
  if (max !== undefined) parts.push(`at most ${valueText(max)}`);
  return parts.join(' and ');
}

const valueText = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

function fileLines({ artefacts }: RunResult, dir: string | undefined): string[] {
  if (dir === undefined) {
    return wrap('None. With --out DIR the video, the last pictures, a trace and result.json are kept.', '  ', '    ');
  }
  const pictures = artefacts.filter(({ kind }) => kind === 'picture').map(({ file }) => basename(file));
  const lines = [`  in ${dir}:`];
  for (const { kind, file, frames, backend } of artefacts) {
    if (kind === 'picture') continue;
    if (kind === 'trace') lines.push(`    ${file}: what every device and buffer did; open it at ui.perfetto.dev`);
    else if (kind === 'result') lines.push(`    ${file}: all numbers of this summary and more`);
    else if (kind === 'video') {
      const facts = [...(frames === undefined ? [] : [plural(frames, 'frame')]), ...(backend ? [`by ${backend}`] : [])];
      lines.push(`    ${file}: H.264 video${facts.length > 0 ? `, ${facts.join(', ')}` : ''}`);
    } else lines.push(`    ${file}`);
  }
  if (pictures.length > 0) lines.push(...wrap(`${formatList(shortened(pictures))}: pictures`, '    ', '      '));
  return lines;
}

function shortened(names: readonly string[]): string[] {
  return names.length <= 4 ? [...names] : [...names.slice(0, 3), `${names.length - 3} more`];
}
