/** What works and ought not to be relied upon: Linux passes it in silence. */
import { formatSize } from '../describe.js';
import { bouncedBytes } from './bounce.js';
import { checkMapping } from './check.js';
import type { AddressRun, DeviceConstraints } from './device-constraints.js';
import type { ConstraintField } from './facts.js';
import type { HeapTraits } from './heap-traits.js';
import { objectionToHeap } from './heap-verdict.js';

/** A mapping that works for the wrong reason. */
export interface PlacementHazard {
  /**
   * `contiguous-by-luck`, `reachable-by-luck`: the heap does not promise what the device needs, and these pages happen to
   * have it. `bounce`: pages out of reach are copied by swiotlb, and nobody syncs.
   */
  readonly kind: 'contiguous-by-luck' | 'reachable-by-luck' | 'bounce';
  readonly device: string;
  readonly heap: string;
  /** What the heap does not promise; absent for a bounce. */
  readonly field?: ConstraintField | 'sizeBytes';
  /** Copied behind everybody's back each time the buffer is mapped; 0 unless it is a bounce. */
  readonly bytesPerMap: number;
  readonly message: string;
}

const REACH: readonly string[] = ['dmaMask', 'addressLimit', 'physLimit', 'windows', 'iommu.physBits'];
const SHAPE: readonly string[] = [
  'contiguous',
  'maxSegments',
  'maxSegmentBytes',
  'segmentBoundaryMask',
  'alignmentBytes',
  'iommu.pageSizes',
];

/**
 * The hazards of pages that are mapped as they are.
 *
 * @param runs the pages, in buffer order
 * @returns at most one by luck and one bounce for each device
 */
export function placementHazards(
  heap: HeapTraits,
  devices: readonly DeviceConstraints[],
  runs: readonly AddressRun[],
): PlacementHazard[] {
  const sizeBytes = runs.reduce((sum, run) => sum + run.lengthBytes, 0);
  return devices.flatMap((c): PlacementHazard[] => {
    if (sizeBytes === 0 || heap.deviceLocal?.owner === c.device || checkMapping(runs, c) !== undefined) return [];
    const { device } = c;
    const bounced = bouncedBytes(runs, c);
    if (bounced > 0) {
      const message = `${device} reaches ${heap.name} only through swiotlb, which copies ${formatSize(bounced)} each time it maps the buffer, and nobody syncs`;
      return [{ kind: 'bounce', device, heap: heap.name, bytesPerMap: bounced, message }];
    }
    const objection = objectionToHeap(heap, [c], sizeBytes);
    if (objection === undefined) return [];
    // What addresses cannot tell is no luck: the device is refused, or the buffer moves.
    const isReach = REACH.includes(objection.field);
    if (!isReach && !SHAPE.includes(objection.field)) return [];
    const kind = isReach ? 'reachable-by-luck' : 'contiguous-by-luck';
    const message = `${objection.message}; these pages happen to suit, the next may not`;
    return [{ kind, device, heap: heap.name, field: objection.field, bytesPerMap: 0, message }];
  });
}
