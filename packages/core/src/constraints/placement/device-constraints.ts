/**
 * What one device asks of the place of a buffer: plain data, the input of everything in this folder.
 *
 * Conventions: bytes, inclusive address limits, pages of 4 KiB, exact arithmetic below 2^53 and never a 32-bit bit
 * operator. A device without an IOMMU issues physical addresses, so its limit and windows constrain the pages; a device
 * behind one issues IOVAs, so its limit constrains those, and only `iommu.physBits` constrains the pages.
 */

/** A range of CPU-physical addresses: `base` and every byte up to `base + sizeBytes - 1`. */
export interface AddressWindow {
  readonly base: number;
  readonly sizeBytes: number;
}

/**
 * A range of CPU-physical addresses as a bus shows it to a device.
 *
 * Source: struct bus_dma_region, include/linux/dma-direct.h, v6.12, which the device tree's dma-ranges fill.
 */
export interface DmaWindow extends AddressWindow {
  /** Address on the bus of the window's first byte; absent = the CPU's own. */
  readonly busBase?: number;
}

/**
 * Where the latest contents of a buffer may be when one user hands it to the next: in CPU caches that snoop, in memory
 * after cache maintenance, or out of the CPU's reach. As the coherency domains of Fuchsia's sysmem.
 */
export type CoherencyDomain = 'cpu' | 'ram' | 'inaccessible';

/** A run of physically abutting pages, or a segment as a device sees it. */
export interface AddressRun {
  readonly address: number;
  readonly lengthBytes: number;
}

/** The translation in front of a device, be it a system IOMMU or the device's own. */
export interface IommuTraits {
  /** Width of an IOVA; the aperture ends at 2^iovaBits at the latest. 1 to 64. */
  readonly iovaBits: number;
  /** First byte of the aperture; absent = 0. */
  readonly iovaBase?: number;
  /** Length of the aperture; absent = up to 2^iovaBits. */
  readonly iovaSizeBytes?: number;
  /** Width of the physical addresses its page table holds; absent = any page. Source: rockchip-iommu.c, v6.12. */
  readonly physBits?: number;
  /** Page sizes it maps, powers of two; the smallest is its granule. Absent = [4096]. */
  readonly pageSizes?: readonly number[];
  /** Most bytes of IOVA that all buffers of the device together may take; absent = the aperture. */
  readonly iovaBudgetBytes?: number;
}

/** What a device would rather have, and what going without costs. The unit of cost is that of `HeapTraits.cost`. */
export interface PlacementPreferences {
  /** Every run a multiple of this, so that its IOMMU maps large pages; a power of two, in bytes. */
  readonly iommuPageBytes?: number;
  /** The domain that spares it cache maintenance. */
  readonly coherency?: CoherencyDomain;
  /** Of each preference that is not met; absent = {@link DEFAULT_PREFERENCE_COST}. */
  readonly cost?: number;
}

/**
 * The placement constraints of one device. An absent field constrains nothing.
 *
 * Source: struct device_dma_parameters and dma_mask, include/linux/device.h, v6.12.
 */
export interface DeviceConstraints {
  /** The participant's name, for explanations. Entries of the same name count as one participant. */
  readonly device: string;
  /** The DMA mask, 2^n - 1: which bits of a bus address or IOVA it drives. Source: struct device.dma_mask, v6.12. */
  readonly dmaMask?: number;
  /** Highest bus address or IOVA it can issue, inclusive, where that is no mask. Leave it out for 64 bits. */
  readonly addressLimit?: number;
  /** Highest byte of physical memory it reaches, inclusive, whatever translates in between: a device's own MMU. */
  readonly physLimit?: number;
  /** Physical ranges it reaches (dma-ranges), with their bus addresses. Only for a device without an IOMMU. */
  readonly windows?: readonly DmaWindow[];
  /** The windows only translate: outside of them a bus address is the CPU's. Absent = they confine too. */
  readonly unconfined?: boolean;
  /**
   * Pages out of reach may be copied through swiotlb. Works, and costs a copy a frame that nobody sees; absent = false,
   * an error, as DRM drivers ask for since nobody syncs. Source: dma_direct_map_phys, kernel/dma/direct.h, v6.12.
   */
  readonly bounceAllowed?: boolean;
  /** Its DMA segments must abut, as the device sees them. Says nothing about their number. */
  readonly contiguous?: boolean;
  /** How many segments it takes, counted after mapping. */
  readonly maxSegments?: number;
  /** Longest segment; absent = {@link UNLIMITED_SEGMENT_BYTES}. Source: dma_get_max_seg_size, v6.12. */
  readonly maxSegmentBytes?: number;
  /** 2^n - 1: no segment crosses a multiple of 2^n. Source: dma_get_seg_boundary, v6.12. */
  readonly segmentBoundaryMask?: number;
  /** Of the start address of the buffer, as the device sees it. Any whole number up to 4 GiB. */
  readonly alignmentBytes?: number;
  /** Translation that makes scattered pages look like one range. */
  readonly iommu?: IommuTraits;
  /** Coherency domains it can work with; absent = all. */
  readonly coherency?: readonly CoherencyDomain[];
  /** `required`: its buffers must be protected; `capable`: it is allowed into protected memory; absent = it is not. */
  readonly protected?: 'required' | 'capable';
  /** Most bridges between it and device-local memory of another device that it maps peer to peer; absent = it cannot. */
  readonly peerToPeerDistance?: number;
  /** Names of the heaps it may use; absent = any. */
  readonly heaps?: readonly string[];
  /** What it would rather have. */
  readonly prefers?: PlacementPreferences;
  /** Whose calls import buffers for it, so that failures can be told as Linux tells them; absent = DRM. */
  readonly subsystem?: 'v4l2' | 'drm';
  /** Where these numbers come from: kernel file and line. */
  readonly source?: string;
}

/** Cost of a preference that is not met: less than one step of scarcity, so that it decides among equals only. */
export const DEFAULT_PREFERENCE_COST = 0.1;

/** The page of this laboratory, in bytes. */
export const PAGE_BYTES = 4096;

/** Where addresses end for us: 2^53, one past the largest exact integer. */
export const ADDRESS_SPACE_BYTES = 2 ** 53;

/** What the kernel assumes of a driver that never set it: 64 KiB. Source: dma_get_max_seg_size, v6.12. */
export const DEFAULT_MAX_SEGMENT_BYTES = 65536;

/** The longest segment the kernel can express (an unsigned int), and ours when a device says nothing. */
export const UNLIMITED_SEGMENT_BYTES = 2 ** 32 - 1;

export const MAX_ALIGNMENT_BYTES = 2 ** 32;

/** Whole pages for so many bytes. */
export function pageAlignedBytes(sizeBytes: number): number {
  return Math.ceil(sizeBytes / PAGE_BYTES) * PAGE_BYTES;
}

/** Longest segment of the device, in bytes. */
export function maxSegmentBytesOf(c: DeviceConstraints): number {
  return c.maxSegmentBytes ?? UNLIMITED_SEGMENT_BYTES;
}

/** Distance of the boundaries no segment crosses, in bytes; undefined when there are none. */
export function segmentBoundaryBytesOf(c: DeviceConstraints): number | undefined {
  return c.segmentBoundaryMask === undefined ? undefined : c.segmentBoundaryMask + 1;
}

/** Smallest page the device's IOMMU maps, in bytes. */
export function iommuGranuleOf(iommu: IommuTraits): number {
  return iommu.pageSizes === undefined ? PAGE_BYTES : Math.min(...iommu.pageSizes);
}
