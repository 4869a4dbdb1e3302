/**
 * Everything about buffers that devices share, in one answer: what image they agree on, where it goes, who forced it, what
 * would help, and what Linux would have done without asking.
 */
import { formatList, formatSize } from './describe.js';
import {
  type ImageRequest,
  type LayoutConstraints,
  type LayoutHazard,
  type LayoutResult,
  negotiateLayout,
} from './layout/index.js';
import {
  type AllocationPolicy,
  buffersFitting,
  type DeviceConstraints,
  failedImports,
  type HeapTraits,
  ionIds,
  outcomesOfPolicies,
  type PlacementRepair,
  type PlacementResult,
  type PolicyOutcome,
  type PredictedOutcome,
  pageAlignedBytes,
  rememberObjections,
  repairPlacement,
  sharedWindows,
  solvePlacement,
} from './placement/index.js';

/** The version of {@link SharingExplanation}; it grows when a field changes its meaning or goes. */
export const EXPLANATION_VERSION = 1;

/** What is shared, by whom, and what there is to put it. */
export interface SharingProblem {
  readonly image: ImageRequest;
  readonly devices: readonly DeviceConstraints[];
  /** Of those devices that care. */
  readonly layouts: readonly LayoutConstraints[];
  /** What each heap promises for a buffer of so many bytes. */
  readonly heaps: (sizeBytes: number) => readonly HeapTraits[];
  /** How many buffers; absent = as many as the devices need, at least 1. */
  readonly buffers?: number;
  /** Size of a buffer to place where no layout is agreed on, in bytes; absent = such buffers are not placed. */
  readonly assumeBytes?: number;
  readonly cpuAccess?: boolean;
}

/** How many buffers of this size an empty heap holds. */
export interface HeapRoom {
  readonly heap: string;
  readonly buffers: number;
}

/** The answer: plain data. */
export interface SharingExplanation {
  readonly version: typeof EXPLANATION_VERSION;
  readonly layout: LayoutResult;
  /** Absent where there is no layout, and no size is assumed. */
  readonly placement?: PlacementResult;
  readonly repairs: readonly PlacementRepair[];
  /** What Linux answers to those who cannot use the buffers, or could not from the least scarce heap. */
  readonly predicted: readonly PredictedOutcome[];
  /** The same buffers under other ways to choose the heap. */
  readonly policies: readonly PolicyOutcome[];
  readonly room: readonly HeapRoom[];
  readonly hazards: readonly SharingHazard[];
  readonly prose: string;
}

/** What Linux passes in silence. */
export interface SharingHazard {
  readonly kind: LayoutHazard['kind'] | 'bounce';
  readonly devices: readonly string[];
  readonly message: string;
}

/**
 * Negotiates the layout, then places buffers of that size, and explains both.
 *
 * Context: any-thread; pure.
 *
 * @throws RangeError when a device, a heap or the image is malformed
 */
export function explainSharing(problem: SharingProblem): SharingExplanation {
  const { image, devices, layouts, cpuAccess = false } = problem;
  const layout = negotiateLayout({ image, participants: layouts });
  const agreed = layout.status === 'waiting' ? layout.soFar : layout;
  const layoutHazards = agreed.hazards.map(({ kind, devices: concerned, message }) => ({
    kind,
    devices: concerned,
    message,
  }));
  const version = EXPLANATION_VERSION;
  const bytes = agreed.status === 'agreed' ? agreed.sizeBytes : problem.assumeBytes;
  if (bytes === undefined) {
    const none = { repairs: [], predicted: [], policies: [], room: [] };
    return { version, layout, ...none, hazards: layoutHazards, prose: layout.prose };
  }
  const sizeBytes = pageAlignedBytes(bytes);
  const needed = agreed.status === 'agreed' ? agreed.buffers : 1;
  const buffers = problem.buffers ?? Math.max(1, needed);
  const heaps = problem.heaps(sizeBytes);
  const request = { devices, heaps, sizeBytes, buffers, cpuAccess };
  const ofDevice = rememberObjections();
  const placement = solvePlacement(request, ofDevice);
  const least = heaps.reduce<HeapTraits | undefined>((a, b) => (a === undefined || b.cost < a.cost ? b : a), undefined);
  const room = heaps.map((heap) => ({
    heap: heap.name,
    buffers: buffersFitting(heap, sizeBytes, sharedWindows(heap)),
  }));
  return {
    version,
    layout,
    placement,
    repairs: placement.status === 'placed' ? [] : repairPlacement(request, placement, { ofDevice }),
    predicted: least === undefined ? [] : failedImports(least, devices, sizeBytes, ofDevice),
    policies: outcomesOfPolicies(policiesFor(devices, heaps), devices, heaps, sizeBytes, ofDevice),
    room,
    hazards: [...layoutHazards, ...bouncesOf(placement)],
    prose: `${layout.prose} ${placement.explanation.prose}`,
  };
}

/** Deferred; the least scarce heap by name; ION with all heaps in its mask; and each device that might allocate for all. */
function policiesFor(devices: readonly DeviceConstraints[], heaps: readonly HeapTraits[]): AllocationPolicy[] {
  if (heaps.length === 0) return [];
  const ids = ionIds(heaps);
  const least = ids[ids.length - 1].heap;
  const mask = ids.reduce((sum, { id }) => sum + 2 ** id, 0);
  return [
    { policy: 'constraints' },
    { policy: 'heap', heap: least },
    { policy: 'ion', heaps: ids, mask },
    ...devices.map(({ device }): AllocationPolicy => ({ policy: 'device', device })),
  ];
}

function bouncesOf(placement: PlacementResult): SharingHazard[] {
  if (placement.status !== 'placed') return [];
  const bounced = placement.preferences.filter(({ field }) => field === 'bounceAllowed').map(({ device }) => device);
  if (bounced.length === 0) return [];
  const bytes = formatSize(placement.sizeBytes);
  const message = `${formatList(bounced)} may not reach ${placement.heap}: swiotlb copies up to ${bytes} each time it maps a buffer, and nobody syncs`;
  return [{ kind: 'bounce', devices: bounced, message }];
}
