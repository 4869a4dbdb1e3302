/** Values of profiles and boards as text, with the unit that their key implies. */

const ADDRESSES = new Set(['dmaMask', 'addressLimit', 'physLimit', 'segmentBoundaryMask', 'base', 'bus', 'iovaBase']);
const SIZES = new Set([
  ...['size', 'iovaSize', 'iovaBudget', 'maxSegmentSize', 'alignment', 'pageSizes', 'iommuPageSize'],
  ...['strideAlignment', 'minStride', 'maxStride', 'offsetAlignment', 'trailing', 'atLeastStrideOr'],
  ...['sizeAlignment', 'extra', 'visible'],
]);
const UNITS: Readonly<Record<string, string>> = {
  iovaBits: 'bits',
  physBits: 'bits',
  strideAlignmentPixels: 'pixels',
  maxPixels: 'pixels',
  block: 'pixels',
  minSize: 'pixels',
  maxSize: 'pixels',
  sizeStep: 'pixels',
  heightAlignment: 'rows',
  rowAlignment: 'rows',
  held: 'buffers',
  dedicatedSlack: 'buffers',
  sharedSlack: 'buffers',
  min: 'buffers',
  max: 'buffers',
  peerToPeerDistance: 'bridges',
};

/**
 * A value with its unit, exact: `0xFFFF_FFFF`, `32 bits`, `4096 × 2160 pixels`, `NV12, P010`.
 *
 * @param key the last key of its path
 */
export function fieldText(key: string | number, value: unknown): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'number') {
    if (ADDRESSES.has(String(key))) return addressText(value);
    if (SIZES.has(String(key))) return exactSize(value);
    const unit = UNITS[key];
    return unit === undefined ? String(value) : `${value} ${unit}`;
  }
  if (!Array.isArray(value)) return String(value);
  const unit = UNITS[key];
  if (unit === 'pixels') return `${value.join(' × ')} pixels`;
  return value.map((each) => (Array.isArray(each) ? each.join(' × ') : fieldText(key, each))).join(', ');
}

/** `0x4000_0000`. */
export function addressText(address: number): string {
  const digits = address.toString(16).toUpperCase();
  return `0x${digits.replace(/\B(?=(?:.{4})+$)/g, '_')}`;
}

/** In the largest unit of which it is a whole number. */
export function exactSize(bytes: number): string {
  for (const [unit, size] of [
    ['GiB', 2 ** 30],
    ['MiB', 2 ** 20],
    ['KiB', 2 ** 10],
  ] as const) {
    if (bytes >= size && bytes % size === 0) return `${bytes / size} ${unit}`;
  }
  return `${bytes} ${bytes === 1 ? 'byte' : 'bytes'}`;
}
