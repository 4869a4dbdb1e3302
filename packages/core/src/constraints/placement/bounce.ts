/**
 * Bounce buffers: what happens to pages out of a device's reach where the mapping may be copied through swiotlb.
 *
 * It works without a word, and each frame is copied once for every mapping; where nobody syncs, as between DRM drivers,
 * the device sees old contents. So it is a hazard to be told, and a cost, never a silent solution.
 */
import { containsWindow } from './address-windows.js';
import type { AddressRun, DeviceConstraints } from './device-constraints.js';
import { reachOf } from './reach.js';

/** Longest run that swiotlb copies. Source: IO_TLB_SEGSIZE slots of 1 << IO_TLB_SHIFT, include/linux/swiotlb.h, v6.12. */
export const MAX_BOUNCE_BYTES = 128 * 2048;

/** Scarcity that a heap out of reach of a device is worth: more than any of the system's heaps, since it costs a copy a frame. */
export const BOUNCE_COST = 2.5;

/** Whether a run out of reach of the device would be copied instead of refused. */
export function canBounce(run: AddressRun, c: DeviceConstraints): boolean {
  return c.bounceAllowed === true && c.iommu === undefined && run.lengthBytes <= MAX_BOUNCE_BYTES;
}

/** Bytes that each mapping of these runs copies for the device; 0 when it reaches all of them, or may not bounce. */
export function bouncedBytes(runs: readonly AddressRun[], c: DeviceConstraints): number {
  if (c.bounceAllowed !== true || c.iommu !== undefined) return 0;
  const reach = reachOf(c);
  return runs.reduce((sum, run) => {
    const inReach = containsWindow(reach, { base: run.address, sizeBytes: run.lengthBytes });
    return inReach || run.lengthBytes > MAX_BOUNCE_BYTES ? sum : sum + run.lengthBytes;
  }, 0);
}
