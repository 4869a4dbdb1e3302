/** What devices would rather have, and what a heap that cannot give it costs them. Decides among heaps that suit. */
import { containsWindow } from './address-windows.js';
import { BOUNCE_COST } from './bounce.js';
import { type CoherencyDomain, DEFAULT_PREFERENCE_COST, type DeviceConstraints } from './device-constraints.js';
import { chunkOf, coherencyOf, type HeapTraits, isOneRun, sharedWindows, windowsFor } from './heap-traits.js';
import { reachOf } from './reach.js';

/** How a wish fared in a heap. */
export interface PreferenceVerdict {
  readonly device: string;
  /** `bounceAllowed` is the wish not to be bounced. */
  readonly field: 'prefers.iommuPageBytes' | 'prefers.coherency' | 'bounceAllowed';
  readonly wanted: number | string;
  readonly met: boolean;
  /** 0 when met. */
  readonly cost: number;
}

/** The wishes of all devices, and how a heap meets them. */
export function preferencesIn(
  heap: HeapTraits,
  devices: readonly DeviceConstraints[],
  bytes: number,
): PreferenceVerdict[] {
  const verdicts: PreferenceVerdict[] = [];
  const domain = coherencyDomain(heap, devices);
  for (const c of devices) {
    const { device, prefers } = c;
    const cost = prefers?.cost ?? DEFAULT_PREFERENCE_COST;
    const judge = (field: PreferenceVerdict['field'], wanted: number | string, met: boolean, price: number): void => {
      verdicts.push({ device, field, wanted, met, cost: met ? 0 : price });
    };
    if (prefers?.iommuPageBytes !== undefined && heap.deviceLocal?.owner !== device) {
      const page = prefers.iommuPageBytes;
      const met = heap.alignmentBytes % page === 0 && (isOneRun(heap, bytes) || chunkOf(heap) % page === 0);
      judge('prefers.iommuPageBytes', page, met, cost);
    }
    if (prefers?.coherency !== undefined)
      judge('prefers.coherency', prefers.coherency, domain === prefers.coherency, cost);
    if (c.bounceAllowed && c.iommu === undefined && heap.deviceLocal?.owner !== device) {
      const reach = reachOf(c);
      const inReach = windowsFor(heap, bytes, sharedWindows(heap)).every((window) => containsWindow(reach, window));
      if (!inReach) judge('bounceAllowed', 'no bounce', false, BOUNCE_COST);
    }
  }
  return verdicts;
}

/**
 * The domain in which a buffer of that heap would be shared: the first offered that every device works with, moved up when
 * more devices prefer it.
 */
export function coherencyDomain(heap: HeapTraits, devices: readonly DeviceConstraints[]): CoherencyDomain | undefined {
  const possible = coherencyOf(heap).filter((domain) => devices.every((c) => c.coherency?.includes(domain) ?? true));
  const votes = (domain: CoherencyDomain): number => devices.filter((c) => c.prefers?.coherency === domain).length;
  return [...possible].sort((a, b) => votes(b) - votes(a))[0];
}
