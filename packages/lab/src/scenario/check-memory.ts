/** Checks memory windows and heaps. */
import type { Report } from './check.js';
import { suggestion } from './issues.js';
import { MAX_MEMORY_BYTES, MAX_WINDOW_BYTES, type Scenario } from './schema.js';

const PAGE_BYTES = 4096;
const ADDRESS_END = 2 ** 53;

type Path = readonly (string | number)[];
type Heap = Scenario['heaps'][number];
type RegionHeap = Extract<Heap, { base: number }>;
type PageHeap = Extract<Heap, { kind: 'system' | 'system-dma32' | 'system-contig' }>;
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

/** Heaps that devices say they may use. */
export function checkHeapsOfDevices({ heaps, devices }: Pick<Scenario, 'heaps' | 'devices'>, report: Report): void {
  const names = heaps.map(({ name }) => name);
  for (const [device, { constraints }] of Object.entries(devices)) {
    for (const [i, heap] of (constraints.heaps ?? []).entries()) {
      if (names.includes(heap)) continue;
      report(['devices', device, 'constraints', 'heaps', i], `unknown heap "${heap}"${suggestion(heap, names)}`);
    }
  }
}

function checkHeaps(board: MemoryOfBoard, report: Report): void {
  const { heaps, memory } = board;
  reportDuplicates(heaps, ['heaps'], 'heap', report);
  const systemHeaps = new Map<string, string>();
  for (const [i, heap] of heaps.entries()) {
    const path = ['heaps', i];
    if (heap.name === 'deferred')
      report([...path, 'name'], '"deferred" is what pools say to allocate later, expected another name');
    const windows = windowsOf(heap).flatMap((name) => {
      const window = memory.windows.find((candidate) => candidate.name === name);
      if (window === undefined) {
        const known = memory.windows.map((candidate) => candidate.name);
        report([...path, 'window'], `unknown window "${name}"${suggestion(name, known)}`);
      }
      return window === undefined ? [] : [window];
    });
    if (windows.length < windowsOf(heap).length) continue;
    if ('base' in heap) reportRegion(heap, windows[0], heaps.slice(0, i), path, report);
    else if (heap.kind === 'device-local') reportDeviceLocal(heap, windows[0], board, path, report);
    else reportPages(heap, windows, board, path, report);
    if (heap.kind !== 'system') continue;
    for (const { name } of windows) {
      const other = systemHeaps.get(name);
      if (other === undefined) systemHeaps.set(name, heap.name);
      else report([...path, 'window'], `window "${name}" belongs to system heap "${other}" already`);
    }
  }
}

/** The windows that a heap names. */
export function windowsOf({ window }: Heap): readonly string[] {
  return typeof window === 'string' ? [window] : window;
}

function reportRegion(
  heap: RegionHeap,
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
  if (heap.kind === 'chunk' && Math.ceil(heap.base / heap.chunk) * heap.chunk + heap.chunk > endOf(heap)) {
    report([...path, 'chunk'], `no aligned chunk of ${showSize(heap.chunk)} fits the region ${showRange(heap)}`);
  }
  for (const other of earlier) {
    if (!('base' in other) || !overlaps(heap, other)) continue;
    report(
      [...path, 'base'],
      `heap "${heap.name}" ${showRange(heap)} overlaps heap "${other.name}" ${showRange(other)}`,
    );
  }
}

/** Heaps of pages: those of the windows that no region takes. */
function reportPages(
  heap: PageHeap,
  windows: readonly NamedRange[],
  { heaps }: MemoryOfBoard,
  path: Path,
  report: Report,
): void {
  for (const window of windows) {
    const inside = heaps.filter((other) => 'base' in other && other.window === window.name);
    const taken = inside.reduce((sum, other) => sum + ('base' in other ? other.size : 0), 0);
    if (window.size - taken < PAGE_BYTES) {
      const kinds = [...new Set(inside.map(({ kind }) => kind))].sort().join(', ');
      report(path, `heap "${heap.name}" has less than a page: its window "${window.name}" is taken by ${kinds} heaps`);
    }
    if (heaps.some((other) => other.kind === 'device-local' && other.window === window.name)) {
      report([...path, 'window'], `window "${window.name}" is the memory of a device`);
    }
  }
  const needsLow = heap.kind === 'system-dma32' || (heap.kind === 'system-contig' && heap.below4GiB === true);
  if (needsLow && windows.every((window) => window.base >= 2 ** 32)) {
    report([...path, 'window'], `heap "${heap.name}" takes pages below 4GiB, but its windows lie above`);
  }
  if (heap.kind !== 'system') return;
  const region = heap.aged?.region;
  const most = windows.reduce((sum, window) => sum + window.size, 0);
  if (region !== undefined && (region < PAGE_BYTES || region > most)) {
    const bounds = `from 4KiB to the ${showSize(most)} of window "${windows.map(({ name }) => name).join('", "')}"`;
    report([...path, 'aged', 'region'], `expected a size ${bounds}, got ${showSize(region)}`);
  }
}

function reportDeviceLocal(
  heap: Extract<Heap, { kind: 'device-local' }>,
  window: NamedRange,
  { heaps, devices }: MemoryOfBoard,
  path: Path,
  report: Report,
): void {
  const { visible, owner, peers } = heap;
  const known = Object.keys(devices);
  const isUnknown = (device: string): boolean => !Object.hasOwn(devices, device);
  const unknown = (device: string): string => `unknown device "${device}"${suggestion(device, known)}`;
  if (isUnknown(owner)) report([...path, 'owner'], unknown(owner));
  for (const peer of Object.keys(peers).filter(isUnknown)) report([...path, 'peers', peer], unknown(peer));
  if (visible !== undefined && (visible > window.size || visible % PAGE_BYTES !== 0)) {
    const most = `whole pages of the ${showSize(window.size)} of window "${window.name}"`;
    report([...path, 'visible'], `expected ${most}, got ${showSize(visible)}`);
  }
  const others = heaps.filter((other) => other !== heap && windowsOf(other).includes(window.name) && 'base' in other);
  for (const other of others)
    report([...path, 'window'], `heap "${other.name}" lies in window "${window.name}" already`);
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
