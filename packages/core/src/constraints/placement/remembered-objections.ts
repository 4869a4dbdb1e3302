/**
 * The objections of devices to heaps, each found once.
 *
 * To explain a placement is to ask the same of the same few devices and heaps again and again: for the answer, for each
 * way to choose a heap, for each import that would fail, and for every repair tried, which changes one device or none.
 */
import type { DeviceConstraints } from './device-constraints.js';
import type { HeapTraits } from './heap-traits.js';
import { type DeviceObjections, iovaBytesNeeded, type Objection, objectionsOfDevice } from './objections.js';

/** What was found, and all of the demand that it depends on. */
interface Found {
  readonly bytes: number;
  /** Bytes of IOVA, for a device with a budget of them; else 0. */
  readonly iovaBytes: number;
  readonly objections: readonly Objection[];
}

/**
 * Makes a memory, to be shared by the parts of one question.
 *
 * Devices and heaps are known by identity and must not change while it is in use.
 */
export function rememberObjections(): DeviceObjections {
  const byHeap = new Map<HeapTraits, Map<DeviceConstraints, Found>>();
  return (heap, c, demand) => {
    let byDevice = byHeap.get(heap);
    if (byDevice === undefined) {
      byDevice = new Map();
      byHeap.set(heap, byDevice);
    }
    const { bytes } = demand;
    const iovaBytes = c.iommu?.iovaBudgetBytes === undefined ? 0 : iovaBytesNeeded(c, demand);
    const known = byDevice.get(c);
    if (known !== undefined && known.bytes === bytes && known.iovaBytes === iovaBytes) return known.objections;
    const objections = objectionsOfDevice(heap, c, demand);
    byDevice.set(c, { bytes, iovaBytes, objections });
    return objections;
  };
}
