/** Wrong input: constraints that are malformed, or that nothing could ever meet. */
import { isPowerOfTwo } from '../numbers.js';
import {
  ADDRESS_SPACE_BYTES,
  type AddressWindow,
  type DeviceConstraints,
  type DmaWindow,
  MAX_ALIGNMENT_BYTES,
  PAGE_BYTES,
  UNLIMITED_SEGMENT_BYTES,
} from './device-constraints.js';
import { highestIssued } from './iova.js';

/**
 * Says what is wrong with constraints as written, whatever the buffer.
 *
 * @returns one sentence a problem; empty when they are well formed
 */
export function checkDeviceConstraints(c: DeviceConstraints): string[] {
  const problems: string[] = [];
  const need = (field: string, value: number | undefined, valid: (v: number) => boolean, what: string): void => {
    if (value !== undefined && !(Number.isSafeInteger(value) && valid(value))) {
      problems.push(`${field} must be ${what}, got ${value}`);
    }
  };
  if (c.device === '') problems.push('device must have a name');
  need(
    'dmaMask',
    c.dmaMask,
    (v) => isPowerOfTwo(v + 1) && v >= PAGE_BYTES - 1,
    'a power of two minus 1, of a page at least (leave it out for 64 bits)',
  );
  need('physLimit', c.physLimit, (v) => v >= PAGE_BYTES - 1, 'a byte address from the end of the first page on');
  need('peerToPeerDistance', c.peerToPeerDistance, (v) => v >= 0, 'a number of bridges from 0');
  need('addressLimit', c.addressLimit, (v) => v >= 0, 'a byte address below 2^53 (leave it out for 64 bits)');
  need('maxSegments', c.maxSegments, (v) => v >= 1, 'at least 1');
  const isLength = (v: number): boolean => v >= 1 && v <= UNLIMITED_SEGMENT_BYTES;
  need('maxSegmentBytes', c.maxSegmentBytes, isLength, 'from 1 to 2^32 - 1');
  need(
    'segmentBoundaryMask',
    c.segmentBoundaryMask,
    (v) => v >= 1 && isPowerOfTwo(v + 1),
    'a power of two minus 1, from 1',
  );
  need('alignmentBytes', c.alignmentBytes, (v) => v >= 1 && v <= MAX_ALIGNMENT_BYTES, 'from 1 to 2^32');
  if (c.windows?.length === 0) problems.push('windows must hold at least one window, or be left out');
  c.windows?.forEach((window, index) => {
    problems.push(...checkAddressWindow(window).map((problem) => `windows[${index}].${problem}`));
    const { busBase, sizeBytes } = window;
    if (busBase !== undefined) {
      const bus = checkAddressWindow({ base: busBase, sizeBytes });
      problems.push(...bus.map((problem) => `windows[${index}].bus ${problem}`));
    }
  });
  problems.push(...checkLists(c));
  if (c.iommu !== undefined) {
    if (c.windows !== undefined) {
      problems.push(
        'windows describe a device without an IOMMU; behind one give iommu.iovaBase and iommu.iovaSizeBytes',
      );
    }
    const isWidth = (v: number): boolean => v >= 1 && v <= 64;
    need('iommu.iovaBits', c.iommu.iovaBits, isWidth, 'from 1 to 64');
    need('iommu.physBits', c.iommu.physBits, isWidth, 'from 1 to 64');
    need('iommu.iovaBudgetBytes', c.iommu.iovaBudgetBytes, (v) => v >= PAGE_BYTES, 'at least one page of 4096');
    need('iommu.iovaBase', c.iommu.iovaBase, (v) => v >= 0, 'a byte address below 2^53');
    need('iommu.iovaSizeBytes', c.iommu.iovaSizeBytes, (v) => v >= 1, 'at least 1');
    if (c.iommu.pageSizes?.length === 0) problems.push('iommu.pageSizes must hold at least one size, or be left out');
    for (const size of c.iommu.pageSizes ?? []) {
      need('iommu.pageSizes', size, (v) => v >= PAGE_BYTES && isPowerOfTwo(v), 'powers of two from 4096');
    }
  }
  return problems;
}

/** What makes lists, windows and wishes malformed. */
function checkLists(c: DeviceConstraints): string[] {
  const problems: string[] = [];
  const { windows = [] } = c;
  if (c.coherency?.length === 0) problems.push('coherency must hold at least one domain, or be left out');
  if (c.heaps?.length === 0) problems.push('heaps must hold at least one name, or be left out');
  const wanted = c.prefers?.coherency;
  if (wanted !== undefined && c.coherency !== undefined && !c.coherency.includes(wanted)) {
    problems.push(`prefers.coherency ${wanted} must be one of coherency, which is ${c.coherency.join(', ')}`);
  }
  const page = c.prefers?.iommuPageBytes;
  if (page !== undefined && !(isPowerOfTwo(page) && page >= PAGE_BYTES)) {
    problems.push(`prefers.iommuPageBytes must be a power of two from 4096, got ${page}`);
  }
  const cost = c.prefers?.cost;
  if (cost !== undefined && !(Number.isFinite(cost) && cost >= 0)) {
    problems.push(`prefers.cost must be a number from 0, got ${cost}`);
  }
  for (const [index, window] of windows.entries()) {
    const clash = windows.findIndex((other, at) => at < index && translateApart(window, other));
    if (clash >= 0) problems.push(`windows[${index}] overlaps windows[${clash}] and translates differently`);
  }
  return problems;
}

/**
 * Says which demands of a device, each well formed, no place could ever meet together. For input: a profile that
 * contradicts itself is a mistake, while the solver only finds that no heap suits.
 *
 * @returns one sentence a contradiction, with fields, values and rule
 */
export function contradictionsOf(c: DeviceConstraints): string[] {
  const problems: string[] = [];
  const { windows = [], iommu, physLimit } = c;
  const reach = highestIssued(c);
  const beyond = windows.findIndex((window) => (window.busBase ?? window.base) > reach);
  if (beyond >= 0) {
    const start = windows[beyond].busBase ?? windows[beyond].base;
    const field = c.dmaMask === reach ? 'dmaMask' : 'addressLimit';
    problems.push(`windows[${beyond}] starts on the bus at ${start}, above ${field} ${reach}`);
  }
  const above = windows.findIndex((window) => physLimit !== undefined && window.base > physLimit);
  if (above >= 0) problems.push(`windows[${above}] starts at ${windows[above].base}, above physLimit ${physLimit}`);
  if (iommu === undefined) return problems;
  if (iommu.iovaBase !== undefined && iommu.iovaBits < 53 && iommu.iovaBase >= 2 ** iommu.iovaBits) {
    problems.push(`iommu.iovaBase ${iommu.iovaBase} must be below 2^iovaBits, which is ${2 ** iommu.iovaBits}`);
  }
  const { iovaBits, iovaBase = 0, iovaSizeBytes = 0 } = iommu;
  if (iovaBits < 53 && iovaBase < 2 ** iovaBits && iovaSizeBytes > 2 ** iovaBits - iovaBase) {
    problems.push(
      `iommu.iovaSizeBytes ${iovaSizeBytes} from ${iovaBase} on must end by 2^iovaBits, which is ${2 ** iovaBits}`,
    );
  }
  if (iommu.iovaBase !== undefined && iommu.iovaBase > reach) {
    problems.push(`iommu.iovaBase ${iommu.iovaBase} must not be above the highest IOVA the device issues, ${reach}`);
  }
  return problems;
}

/** Whether two windows give one address two meanings, on either side. */
function translateApart(a: DmaWindow, b: DmaWindow): boolean {
  const onBus = ({ base, busBase = base, sizeBytes }: DmaWindow): AddressWindow => ({ base: busBase, sizeBytes });
  const offset = (window: DmaWindow): number => onBus(window).base - window.base;
  return offset(a) !== offset(b) && (overlap(a, b) || overlap(onBus(a), onBus(b)));
}

function overlap(a: AddressWindow, b: AddressWindow): boolean {
  return a.base < b.base + b.sizeBytes && b.base < a.base + a.sizeBytes;
}

/**
 * Says what is wrong with an address window.
 *
 * @returns one sentence a problem; empty when it is well formed
 */
export function checkAddressWindow(window: AddressWindow): string[] {
  const { base, sizeBytes } = window;
  if (!Number.isSafeInteger(base) || base < 0) return [`base must be a byte address below 2^53, got ${base}`];
  if (!(Number.isInteger(sizeBytes) && sizeBytes >= 1 && sizeBytes <= ADDRESS_SPACE_BYTES - base)) {
    return [`sizeBytes must be at least 1 and end by 2^53, got ${sizeBytes}`];
  }
  return [];
}

/**
 * Refuses malformed constraints.
 *
 * @throws RangeError naming the device and everything that is wrong with it
 */
export function assertDeviceConstraints(c: DeviceConstraints): void {
  const problems = checkDeviceConstraints(c);
  if (problems.length > 0) {
    throw new RangeError(`Cannot use the constraints of ${c.device || '(no name)'}: ${problems.join('; ')}`);
  }
}
