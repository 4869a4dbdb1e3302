/** Numbers and lists as people read them. */
import type { AddressWindow } from './placement/device-constraints.js';

/** An address in hexadecimal, in groups of four from the right: `0x1_8000_0000`. */
export function formatAddress(address: number): string {
  return `0x${address
    .toString(16)
    .toUpperCase()
    .replace(/\B(?=(?:[0-9A-F]{4})+$)/g, '_')}`;
}

/** A size in the largest unit that divides it: `64 KiB`, `8 MiB`, `204801 B`. */
export function formatSize(sizeBytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let [value, unit] = [sizeBytes, 0];
  while (unit < units.length - 1 && value >= 1024 && value % 1024 === 0) {
    value /= 1024;
    unit++;
  }
  return `${value} ${units[unit]}`;
}

/** A window by its first and last byte: `0x3000_0000..0x3FFF_FFFF`. */
export function formatWindow(window: AddressWindow): string {
  return `${formatAddress(window.base)}..${formatAddress(window.base + window.sizeBytes - 1)}`;
}

/** A list in prose: `a`, `a and b`, `a, b and c`. */
export function formatList(items: readonly string[]): string {
  return items.length <= 1 ? items.join('') : `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;
}
