/** Checks memory windows and heaps. */
import type { Report } from './check.js';
import { suggestion } from './issues.js';
import { MAX_MEMORY_BYTES, MAX_WINDOW_BYTES, type Scenario } from './schema.js';

const PAGE_BYTES = 4096;
const ADDRESS_END = 2 ** 53;

type Path = readonly (string | number)[];
type Heap = Scenario['heaps'][number];
interface Range {
  readonly base: number;
  readonly size: number;
}
interface NamedRange extends Range {
  readonly name: string;
}

/** The part of a scenario or a board that is about memory. */
export type MemoryOfBoard = Pick<Scenario, 'memory' | 'heaps'> & {
  readonly devices: Readonly<Record<string, unknown>>;
};

export function checkMemory(scenario: MemoryOfBoard, report: Report): void {
  const { windows } = scenario.memory;
  const path = ['memory', 'windows'];
  reportDuplicates(windows, path, 'window', report);
  reportRanges(windows, path, report);
  const total = windows.reduce((sum, { size }) => sum + size, 0);
  if (total > MAX_MEMORY_BYTES) {
    report(path, `all windows together may hold at most ${showSize(MAX_MEMORY_BYTES)}, got ${showSize(total)}`);
  }
  checkHeaps(scenario, report);
}

function checkHeaps({ heaps, memory }: MemoryOfBoard, report: Report): void {
  reportDuplicates(heaps, ['heaps'], 'heap', report);
  const systemHeaps = new Map<string, string>();
  for (const [i, heap] of heaps.entries()) {
    const path = ['heaps', i];
    if (heap.name === 'deferred')
      report([...path, 'name'], '"deferred" is what pools say to allocate later, expected another name');
    const window = memory.windows.find(({ name }) => name === heap.window);
    if (window === undefined) {
      const known = memory.windows.map(({ name }) => name);
      report([...path, 'window'], `unknown window "${heap.window}"${suggestion(heap.window, known)}`);
    } else if (heap.kind === 'cma') {
      reportCma(heap, window, heaps.slice(0, i), path, report);
    } else {
      const other = systemHeaps.get(heap.window);
      if (other === undefined) systemHeaps.set(heap.window, heap.name);
      else report([...path, 'window'], `window "${heap.window}" belongs to system heap "${other}" already`);
      reportSystem(heap, window, heaps, path, report);
    }
  }
}

function reportCma(
  heap: Extract<Heap, { kind: 'cma' }>,
  window: NamedRange,
  earlier: readonly Heap[],
  path: Path,
  report: Report,
): void {
  if (!reportWholePages(heap, path, report)) return;
  if (heap.base < window.base || endOf(heap) > endOf(window)) {
    report(
      [...path, 'base'],
      `heap "${heap.name}" ${showRange(heap)} must lie inside window "${window.name}" ${showRange(window)}`,
    );
  }
  for (const other of earlier) {
    if (other.kind !== 'cma' || !overlaps(heap, other)) continue;
    report(
      [...path, 'base'],
      `heap "${heap.name}" ${showRange(heap)} overlaps heap "${other.name}" ${showRange(other)}`,
    );
  }
}

function reportSystem(
  heap: Extract<Heap, { kind: 'system' }>,
  window: NamedRange,
  heaps: readonly Heap[],
  path: Path,
  report: Report,
): void {
  const taken = heaps.reduce(
    (sum, other) => sum + (other.kind === 'cma' && other.window === window.name ? other.size : 0),
    0,
  );
  if (window.size - taken < PAGE_BYTES) {
    report(path, `heap "${heap.name}" has less than a page: its window "${window.name}" is taken by cma heaps`);
  }
  const region = heap.aged?.region;
  if (region !== undefined && (region < PAGE_BYTES || region > window.size)) {
    const bounds = `from 4KiB to the ${showSize(window.size)} of window "${window.name}"`;
    report([...path, 'aged', 'region'], `expected a size ${bounds}, got ${showSize(region)}`);
  }
}

function reportRanges(ranges: readonly NamedRange[], path: Path, report: Report): void {
  for (const [i, range] of ranges.entries()) {
    if (!reportWholePages(range, [...path, i], report)) continue;
    if (range.size > MAX_WINDOW_BYTES) {
      const most = `at most ${showSize(MAX_WINDOW_BYTES)}, got ${showSize(range.size)}; split it`;
      report([...path, i, 'size'], `window "${range.name}" may hold ${most}`);
    }
    if (endOf(range) > ADDRESS_END) report([...path, i, 'size'], `window "${range.name}" must end by 2^53`);
    for (const other of ranges.slice(0, i)) {
      if (!overlaps(range, other)) continue;
      const message = `window "${range.name}" ${showRange(range)} overlaps window "${other.name}" ${showRange(other)}`;
      report([...path, i, 'base'], message);
    }
  }
}

function reportWholePages({ base, size }: Range, path: Path, report: Report): boolean {
  const rule = 'expected a multiple of the page size 4096';
  if (base % PAGE_BYTES !== 0) report([...path, 'base'], `${rule}, got ${showAddress(base)}`);
  if (size % PAGE_BYTES !== 0) report([...path, 'size'], `${rule}, got ${size}`);
  return base % PAGE_BYTES === 0 && size % PAGE_BYTES === 0;
}

function reportDuplicates(named: readonly { name: string }[], path: Path, noun: string, report: Report): void {
  const seen = new Set<string>();
  for (const [i, { name }] of named.entries()) {
    if (seen.has(name)) report([...path, i, 'name'], `there is a ${noun} "${name}" above already`);
    seen.add(name);
  }
}

function endOf({ base, size }: Range): number {
  return base + size;
}

function overlaps(a: Range, b: Range): boolean {
  return a.base < endOf(b) && b.base < endOf(a);
}

function showAddress(address: number): string {
  return `0x${address.toString(16).toUpperCase()}`;
}

function showRange(range: Range): string {
  return `${showAddress(range.base)}..${showAddress(endOf(range) - 1)}`;
}

function showSize(bytes: number): string {
  const [unit, name] =
    bytes % 2 ** 30 === 0 ? [2 ** 30, 'GiB'] : bytes % 2 ** 20 === 0 ? [2 ** 20, 'MiB'] : [1, ' bytes'];
  return `${bytes / unit}${name}`;
}
