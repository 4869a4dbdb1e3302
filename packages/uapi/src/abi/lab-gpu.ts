/**
 * The GPU of scenarios as a DRM driver: the only structures here that are in no header of Linux.
 *
 * They are shaped after drivers for the GPUs of boards: drm_panfrost_create_bo and drm_panfrost_mmap_bo,
 * drm_etnaviv_gem_submit with its flags and descriptors of fences, drm_etnaviv_wait_fence, and the sync objects of
 * drm_lima_gem_submit. Source: include/uapi/drm/{panfrost,etnaviv,lima}_drm.h, v6.12.
 */
import { DRM_COMMAND_BASE, DRM_IOCTL_BASE } from './drm.js';
import { iowr } from './ioctl.js';
import { array, s32, s64, struct, u32, u64 } from './struct.js';

/** Flags of DRM_IOCTL_LAB_SUBMIT. */
export const LAB_SUBMIT = {
  /** Neither wait for the fences of the buffers nor let others wait for this one. */
  NO_IMPLICIT: 1,
  /** `fence_fd` is a sync file to wait for. */
  FENCE_FD_IN: 2,
  /** `fence_fd` is to be a sync file of the job. */
  FENCE_FD_OUT: 4,
} as const;
/** Flags of DRM_IOCTL_LAB_WAIT_FENCE. */
export const LAB_WAIT = { NONBLOCK: 1 } as const;
/** Planes of a source: luma and chroma. */
export const LAB_SOURCE_PLANES = 2;

/** A new object, of whole pages; handle is an answer. */
export const drmLabCreateBo = struct('drm_lab_create_bo', { size: u32, flags: u32, handle: u32, pad: u32 });
/** Where to map an object; offset is an answer. */
export const drmLabMmapBo = struct('drm_lab_mmap_bo', { handle: u32, flags: u32, offset: u64 });
/** A job. */
export const drmLabSubmit = struct('drm_lab_submit', {
  flags: u32,
  /** DRM_FORMAT_* of the source. */
  pixel_format: u32,
  width: u32,
  height: u32,
  source_handle: u32,
  source_pitch: u32,
  source_offsets: array(u32, LAB_SOURCE_PLANES),
  /** 0 for a driver that draws into its source. */
  target_handle: u32,
  target_pitch: u32,
  target_offset: u32,
  /** In and out. */
  fence_fd: s32,
  /** Sync object to wait for; 0 = none. */
  in_sync: u32,
  /** Sync object that gets the fence of the job; 0 = none. */
  out_sync: u32,
  /** Points of timelines; 0 for a binary sync object. */
  in_point: u64,
  out_point: u64,
  /** Out: the number of the job in this file, for DRM_IOCTL_LAB_WAIT_FENCE. */
  fence: u32,
  pad: u32,
});
export const drmLabWaitFence = struct('drm_lab_wait_fence', {
  fence: u32,
  flags: u32,
  /** On CLOCK_MONOTONIC. */
  timeout_nsec: s64,
  /** Out: 1, or the negative errno that the job ended with; as in struct sync_fence_info. */
  status: s32,
  pad: u32,
});

const B = DRM_COMMAND_BASE;
export const DRM_IOCTL_LAB_CREATE_BO = iowr('DRM_IOCTL_LAB_CREATE_BO', DRM_IOCTL_BASE, B, drmLabCreateBo);
export const DRM_IOCTL_LAB_MMAP_BO = iowr('DRM_IOCTL_LAB_MMAP_BO', DRM_IOCTL_BASE, B + 1, drmLabMmapBo);
export const DRM_IOCTL_LAB_SUBMIT = iowr('DRM_IOCTL_LAB_SUBMIT', DRM_IOCTL_BASE, B + 2, drmLabSubmit);
export const DRM_IOCTL_LAB_WAIT_FENCE = iowr('DRM_IOCTL_LAB_WAIT_FENCE', DRM_IOCTL_BASE, B + 3, drmLabWaitFence);
/** Entries of the driver's table. */
export const LAB_GPU_IOCTLS = 4;
