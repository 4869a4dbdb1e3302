/** What devices have mapped already: a budget of IOVAs is one for all buffers of a device. */
import type { DeviceConstraints } from '../constraints/index.js';
import type { ExportedBuffer } from './exported-buffer.js';

/**
 * Bytes of IOVA that devices with a budget have of other buffers.
 *
 * @returns undefined when there is no such device
 */
export function iovaInUse(
  buffers: Iterable<ExportedBuffer>,
  buffer: ExportedBuffer,
  devices: readonly DeviceConstraints[],
): Record<string, number> | undefined {
  const frugal = devices.filter(({ iommu }) => iommu?.iovaBudgetBytes !== undefined);
  if (frugal.length === 0) return undefined;
  const others = [...buffers].filter((other) => other !== buffer);
  const bytesOf = (device: string): number =>
    others.reduce((sum, { attachments, sizeBytes }) => {
      return [...attachments.values()].some((attached) => attached.device === device) ? sum + sizeBytes : sum;
    }, 0);
  return Object.fromEntries(frugal.map(({ device }) => [device, bytesOf(device)]));
}
