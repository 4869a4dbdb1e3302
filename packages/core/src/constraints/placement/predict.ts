/**
 * What Linux would have answered: the call that fails, its errno and its message, when a device imports a buffer from a
 * heap without anybody having asked first.
 */
import { formatSize } from '../describe.js';
import type { AddressRun, DeviceConstraints } from './device-constraints.js';
import { lengthOfRuns } from './dma-segments.js';
import { chunkOf, type HeapTraits, isOneRun } from './heap-traits.js';
import type { HeapObjection } from './heap-verdict.js';

/** The outcome of an import that was not negotiated. */
export interface PredictedOutcome {
  readonly device: string;
  /** The ioctl or kernel function that fails; `none` where Linux notices nothing. */
  readonly call: string;
  /** Name of the errno; `none` where Linux notices nothing. */
  readonly errno: string;
  /** What the kernel log or the caller reads. */
  readonly text: string;
  /** Where the answer comes from. */
  readonly source: string;
}

/**
 * Predicts how an import fails, from what speaks against the heap.
 *
 * @param sizeBytes of the buffer, whole pages
 * @param runs the pages, where they are known; else the least the heap promises is assumed
 */
export function predictImport(
  objection: HeapObjection,
  heap: HeapTraits,
  c: DeviceConstraints,
  sizeBytes: number,
  runs?: readonly AddressRun[],
): PredictedOutcome {
  const fail = (call: string, errno: string, text: string, source: string): PredictedOutcome => ({
    device: c.device,
    call,
    errno,
    text,
    source,
  });
  const isV4l2 = c.subsystem === 'v4l2';
  const importCall = isV4l2 ? 'VIDIOC_QBUF' : 'DRM_IOCTL_PRIME_FD_TO_HANDLE';
  const vb2 = 'vb2_dc_map_dmabuf, drivers/media/common/videobuf2/videobuf2-dma-contig.c, v6.12';
  switch (objection.field) {
    case 'maxSegments':
    case 'maxSegmentBytes':
    case 'segmentBoundaryMask':
    case 'contiguous': {
      if (objection.field !== 'contiguous' && (c.maxSegments ?? 1) > 1) {
        const text = 'nobody counts segments: the device runs beyond its table, or its driver refuses what it finds';
        return fail('none', 'none', text, 'dma_map_sgtable, kernel/dma/mapping.c, v6.12');
      }
      if (isV4l2) {
        const chunk = `contiguous chunk is too small ${firstChunkBytes(heap, sizeBytes, runs)}/${sizeBytes}`;
        return fail(importCall, 'EFAULT', chunk, vb2);
      }
      const source = 'drm_gem_dma_prime_import_sg_table, drivers/gpu/drm/drm_gem_dma_helper.c, v6.12';
      return fail(importCall, 'EINVAL', 'drm_gem_dma: the buffer is not contiguous', source);
    }
    case 'dmaMask':
    case 'addressLimit':
    case 'physLimit':
    case 'windows':
    case 'iommu.physBits': {
      const source = 'dma_direct_map_sg, kernel/dma/direct.c, v6.12';
      if (isV4l2) return fail(importCall, 'EINVAL', 'Error getting dmabuf scatterlist', `${vb2}; ${source}`);
      return fail(
        importCall,
        'EIO',
        `DMA addr overflow of ${formatSize(sizeBytes)}: out of the reach of the device`,
        source,
      );
    }
    case 'iommu.iovaBits':
    case 'iommu.iovaBudgetBytes': {
      const source = 'iommu_dma_map_sg, drivers/iommu/dma-iommu.c, v6.12';
      if (isV4l2) return fail(importCall, 'EINVAL', 'Error getting dmabuf scatterlist', `${vb2}; ${source}`);
      return fail(importCall, 'ENOMEM', `no IOVA range of ${formatSize(sizeBytes)} is free`, source);
    }
    case 'iommu.pageSizes':
      return fail(
        importCall,
        'EINVAL',
        'unaligned: iova or pa is no multiple of the smallest page',
        'iommu_map, drivers/iommu/iommu.c, v6.12',
      );
    case 'alignmentBytes':
      return fail(
        importCall,
        'EINVAL',
        'the address is not aligned as the device needs it',
        'isp_video_buffer_prepare, drivers/media/platform/ti/omap3isp/ispvideo.c, v6.12',
      );
    case 'peerToPeerDistance':
      return fail(
        'dma_buf_attach',
        'EOPNOTSUPP',
        'no peer-to-peer path, and the exporter cannot move the buffer',
        'i915_gem_dmabuf_attach, drivers/gpu/drm/i915/gem/i915_gem_dmabuf.c, v6.12',
      );
    case 'protected':
      return fail(
        'none',
        'none',
        'the access faults on the bus, or reads zeros: mainline has no protected heap that refuses it',
        'drivers/dma-buf/heaps, v6.12',
      );
    case 'coherency':
      return fail(
        'none',
        'none',
        'nothing fails: the contents are stale until somebody syncs',
        'DMA_BUF_IOCTL_SYNC, drivers/dma-buf/dma-buf.c, v6.12',
      );
    case 'heaps':
      return fail(importCall, 'EINVAL', 'the driver imports only buffers of its own heaps', 'driver specific');
    case 'cpuAccess':
      return fail(
        'mmap',
        'ENODEV',
        'the exporter has no mmap',
        'dma_buf_mmap_internal, drivers/dma-buf/dma-buf.c, v6.12',
      );
    case 'sizeBytes':
      return fail(
        'DMA_HEAP_IOCTL_ALLOC',
        'ENOMEM',
        'the heap has no room',
        'dma_heap_buffer_alloc, drivers/dma-buf/dma-heap.c, v6.12',
      );
  }
}

/** What vb2 finds when it adds up abutting segments from the start. Source: vb2_dc_get_contiguous_size, v6.12. */
function firstChunkBytes(heap: HeapTraits, sizeBytes: number, runs?: readonly AddressRun[]): number {
  if (runs === undefined) return isOneRun(heap, sizeBytes) ? sizeBytes : chunkOf(heap);
  let next = runs[0]?.address ?? 0;
  const abutting = runs.slice(
    0,
    runs.findIndex((run) => {
      const follows = run.address === next;
      next = run.address + run.lengthBytes;
      return !follows;
    }),
  );
  return lengthOfRuns(abutting.length === 0 ? runs : abutting);
}
