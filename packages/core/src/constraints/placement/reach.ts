/**
 * Which physical addresses a device can issue, and how they look on its bus.
 *
 * A device without an IOMMU issues bus addresses. Its windows (dma-ranges) translate, and confine it; outside of them, were
 * it not confined, a bus address is the CPU's. Its mask and limit are about bus addresses. So each of the three is a set of
 * physical addresses of its own, and what the device reaches is their intersection: taking one away only adds addresses.
 *
 * Source: dma_capable and translate_phys_to_dma, include/linux/dma-direct.h, v6.12.
 */
import { ALL_ADDRESSES, intersectWindows, normalizeWindows, windowEnd, windowOfBits } from './address-windows.js';
import {
  ADDRESS_SPACE_BYTES,
  type AddressRun,
  type AddressWindow,
  type DeviceConstraints,
  type DmaWindow,
} from './device-constraints.js';

/** The fields that say which physical addresses a device reaches. */
export type ReachField = 'dmaMask' | 'addressLimit' | 'physLimit' | 'windows' | 'iommu.physBits';

/** The addresses that one field of a device allows. */
export interface Reach {
  readonly field: ReachField;
  readonly value: number | readonly DmaWindow[];
  /** In canonical form. */
  readonly windows: readonly AddressWindow[];
}

/** What each field of the device allows, in a fixed order; empty when it reaches everything. */
export function reachesOf(c: DeviceConstraints): Reach[] {
  const reaches: Reach[] = [];
  const { dmaMask, addressLimit, physLimit, windows, iommu } = c;
  if (iommu === undefined) {
    if (dmaMask !== undefined) reaches.push({ field: 'dmaMask', value: dmaMask, windows: issuable(dmaMask, windows) });
    if (addressLimit !== undefined) {
      reaches.push({ field: 'addressLimit', value: addressLimit, windows: issuable(addressLimit, windows) });
    }
    if (windows !== undefined && !c.unconfined) {
      reaches.push({ field: 'windows', value: windows, windows: normalizeWindows(windows) });
    }
  }
  if (physLimit !== undefined) {
    reaches.push({ field: 'physLimit', value: physLimit, windows: [{ base: 0, sizeBytes: physLimit + 1 }] });
  }
  if (iommu?.physBits !== undefined) {
    reaches.push({ field: 'iommu.physBits', value: iommu.physBits, windows: [windowOfBits(iommu.physBits)] });
  }
  return reaches;
}

/** All that the device reaches, in canonical form. */
export function reachOf(c: DeviceConstraints): readonly AddressWindow[] {
  return reachesOf(c).reduce<readonly AddressWindow[]>(
    (set, { windows }) => intersectWindows(set, windows),
    ALL_ADDRESSES,
  );
}

/**
 * Runs as the bus of a device without an IOMMU shows them: cut where two windows meet, and translated.
 *
 * @returns runs with the index of the run they come from
 */
export function busRuns(
  runs: readonly AddressRun[],
  c: DeviceConstraints,
): (AddressRun & { readonly runIndex: number })[] {
  if (!translates(c)) return runs.map((run, runIndex) => ({ ...run, runIndex }));
  return runs.flatMap((run, runIndex) => piecesOf(run, c.windows ?? []).map((piece) => ({ ...piece, runIndex })));
}

/** How far the bus addresses in some windows are from the CPU's; [0] when nothing translates. */
export function busOffsets(c: DeviceConstraints, where: readonly AddressWindow[]): number[] {
  if (!translates(c)) return [0];
  const offsets = where.flatMap((w) => busPieces(w, c).map((piece) => piece.offset));
  return [...new Set(offsets)];
}

/** Into how many pieces the bus cuts a window: those that do not abut there. */
export function busCuts(window: AddressWindow, c: DeviceConstraints): number {
  return translates(c) ? busPieces(window, c).length : 1;
}

/** A window as the bus shows it: neighbours of one offset are one piece. */
function busPieces({ base, sizeBytes }: AddressWindow, c: DeviceConstraints): { readonly offset: number }[] {
  const pieces: { readonly offset: number }[] = [];
  let address = base;
  for (const run of piecesOf({ address: base, lengthBytes: sizeBytes }, c.windows ?? [])) {
    const offset = run.address - address;
    if (pieces.at(-1)?.offset !== offset) pieces.push({ offset });
    address += run.lengthBytes;
  }
  return pieces;
}

function translates({ windows, iommu }: DeviceConstraints): boolean {
  return iommu === undefined && windows !== undefined && windows.some((window) => offsetOf(window) !== 0);
}

/** The physical addresses whose bus address is not above the limit. */
function issuable(limit: number, translation: readonly DmaWindow[] = []): AddressWindow[] {
  const below = (base: number, sizeBytes: number, busBase: number): AddressWindow[] => {
    const bytes = Math.min(sizeBytes, limit + 1 - busBase);
    return bytes > 0 ? [{ base, sizeBytes: bytes }] : [];
  };
  const inside = translation.flatMap((w) => below(w.base, w.sizeBytes, w.busBase ?? w.base));
  let from = 0;
  const outside: AddressWindow[] = [];
  for (const window of [...normalizeWindows(translation), { base: ADDRESS_SPACE_BYTES, sizeBytes: 0 }]) {
    if (window.base > from) outside.push(...below(from, window.base - from, from));
    from = windowEnd(window);
  }
  return normalizeWindows([...inside, ...outside]);
}

function piecesOf(run: AddressRun, translation: readonly DmaWindow[]): AddressRun[] {
  const pieces: AddressRun[] = [];
  const end = run.address + run.lengthBytes;
  for (let address = run.address; address < end; ) {
    const inside = translation.find((w) => w.base <= address && address < windowEnd(w));
    const borders =
      inside === undefined ? translation.map((w) => w.base).filter((b) => b > address) : [windowEnd(inside)];
    const stop = Math.min(end, ...borders);
    pieces.push({ address: address + (inside === undefined ? 0 : offsetOf(inside)), lengthBytes: stop - address });
    address = stop;
  }
  return pieces;
}

function offsetOf(window: DmaWindow): number {
  return (window.busBase ?? window.base) - window.base;
}
