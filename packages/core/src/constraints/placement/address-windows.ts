/** Sets of addresses as sorted, disjoint windows. All functions are pure and exact below 2^53. */
import { ADDRESS_SPACE_BYTES, type AddressWindow } from './device-constraints.js';

/** Every address there is. */
export const ALL_ADDRESSES: readonly AddressWindow[] = [{ base: 0, sizeBytes: ADDRESS_SPACE_BYTES }];

/** Sorts windows and joins those that overlap or abut: the canonical form of a set. */
export function normalizeWindows(windows: readonly AddressWindow[]): AddressWindow[] {
  const joined: AddressWindow[] = [];
  for (const window of [...windows].sort((a, b) => a.base - b.base)) {
    const last = joined.at(-1);
    if (last !== undefined && window.base <= windowEnd(last)) {
      const end = Math.max(windowEnd(last), windowEnd(window));
      joined[joined.length - 1] = { base: last.base, sizeBytes: end - last.base };
    } else {
      joined.push({ base: window.base, sizeBytes: window.sizeBytes });
    }
  }
  return joined;
}

/** The addresses in both sets, in canonical form. */
export function intersectWindows(a: readonly AddressWindow[], b: readonly AddressWindow[]): AddressWindow[] {
  const common: AddressWindow[] = [];
  const [left, right] = [normalizeWindows(a), normalizeWindows(b)];
  let [i, j] = [0, 0];
  while (i < left.length && j < right.length) {
    const base = Math.max(left[i].base, right[j].base);
    const end = Math.min(windowEnd(left[i]), windowEnd(right[j]));
    if (base < end) common.push({ base, sizeBytes: end - base });
    if (windowEnd(left[i]) < windowEnd(right[j])) i++;
    else j++;
  }
  return common;
}

/** Whether every byte of the window is in the set. */
export function containsWindow(set: readonly AddressWindow[], window: AddressWindow): boolean {
  return normalizeWindows(set).some((w) => w.base <= window.base && windowEnd(window) <= windowEnd(w));
}

/** How many addresses the canonical set holds, in bytes. */
export function sizeOfWindows(windows: readonly AddressWindow[]): number {
  return windows.reduce((sum, window) => sum + window.sizeBytes, 0);
}

/** One past the last byte. */
export function windowEnd(window: AddressWindow): number {
  return window.base + window.sizeBytes;
}

/** The addresses of so many bits: 0 to 2^bits - 1. */
export function windowOfBits(bits: number): AddressWindow {
  return { base: 0, sizeBytes: Math.min(2 ** bits, ADDRESS_SPACE_BYTES) };
}
