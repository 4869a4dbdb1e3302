/** DRM: core, GEM and PRIME. Source: include/uapi/drm/drm.h and drm_mode.h, v6.12. */

import { O } from './fcntl.js';
import { io, iow, iowr } from './ioctl.js';
import { s32, struct, u32, u64 } from './struct.js';

/** The letter of all DRM ioctls. */
export const DRM_IOCTL_BASE = 'd';
/** Ioctls of drivers begin and end here. */
export const DRM_COMMAND_BASE = 0x40;
export const DRM_COMMAND_END = 0xa0;
/** Entries of the core's table. */
export const DRM_CORE_IOCTL_COUNT = 0xd1;

export const DRM_CLOEXEC = O.CLOEXEC;
export const DRM_RDWR = O.RDWR;

/** Capabilities of DRM_IOCTL_GET_CAP. */
export const DRM_CAP = {
  DUMB_BUFFER: 0x1,
  VBLANK_HIGH_CRTC: 0x2,
  DUMB_PREFERRED_DEPTH: 0x3,
  DUMB_PREFER_SHADOW: 0x4,
  PRIME: 0x5,
  TIMESTAMP_MONOTONIC: 0x6,
  ASYNC_PAGE_FLIP: 0x7,
  CURSOR_WIDTH: 0x8,
  CURSOR_HEIGHT: 0x9,
  ADDFB2_MODIFIERS: 0x10,
  PAGE_FLIP_TARGET: 0x11,
  CRTC_IN_VBLANK_EVENT: 0x12,
  SYNCOBJ: 0x13,
  SYNCOBJ_TIMELINE: 0x14,
  ATOMIC_ASYNC_PAGE_FLIP: 0x15,
} as const;
export const DRM_PRIME_CAP = { IMPORT: 1, EXPORT: 2 } as const;

export const drmVersion = struct('drm_version', {
  version_major: s32,
  version_minor: s32,
  version_patchlevel: s32,
  name_len: u64,
  name: u64,
  date_len: u64,
  date: u64,
  desc_len: u64,
  desc: u64,
});
export const drmUnique = struct('drm_unique', { unique_len: u64, unique: u64 });
export const drmGemClose = struct('drm_gem_close', { handle: u32, pad: u32 });
export const drmGemFlink = struct('drm_gem_flink', { handle: u32, name: u32 });
export const drmGemOpen = struct('drm_gem_open', { name: u32, handle: u32, size: u64 });
export const drmGetCap = struct('drm_get_cap', { capability: u64, value: u64 });
export const drmPrimeHandle = struct('drm_prime_handle', { handle: u32, flags: u32, fd: s32 });
export const drmModeCreateDumb = struct('drm_mode_create_dumb', {
  height: u32,
  width: u32,
  bpp: u32,
  flags: u32,
  handle: u32,
  pitch: u32,
  size: u64,
});
export const drmModeMapDumb = struct('drm_mode_map_dumb', { handle: u32, pad: u32, offset: u64 });
export const drmModeDestroyDumb = struct('drm_mode_destroy_dumb', { handle: u32 });

export const DRM_IOCTL_VERSION = iowr('DRM_IOCTL_VERSION', DRM_IOCTL_BASE, 0x00, drmVersion);
export const DRM_IOCTL_GET_UNIQUE = iowr('DRM_IOCTL_GET_UNIQUE', DRM_IOCTL_BASE, 0x01, drmUnique);
export const DRM_IOCTL_GEM_CLOSE = iow('DRM_IOCTL_GEM_CLOSE', DRM_IOCTL_BASE, 0x09, drmGemClose);
export const DRM_IOCTL_GEM_FLINK = iowr('DRM_IOCTL_GEM_FLINK', DRM_IOCTL_BASE, 0x0a, drmGemFlink);
export const DRM_IOCTL_GEM_OPEN = iowr('DRM_IOCTL_GEM_OPEN', DRM_IOCTL_BASE, 0x0b, drmGemOpen);
export const DRM_IOCTL_GET_CAP = iowr('DRM_IOCTL_GET_CAP', DRM_IOCTL_BASE, 0x0c, drmGetCap);
export const DRM_IOCTL_SET_MASTER = io('DRM_IOCTL_SET_MASTER', DRM_IOCTL_BASE, 0x1e);
export const DRM_IOCTL_DROP_MASTER = io('DRM_IOCTL_DROP_MASTER', DRM_IOCTL_BASE, 0x1f);
export const DRM_IOCTL_PRIME_HANDLE_TO_FD = iowr('DRM_IOCTL_PRIME_HANDLE_TO_FD', DRM_IOCTL_BASE, 0x2d, drmPrimeHandle);
export const DRM_IOCTL_PRIME_FD_TO_HANDLE = iowr('DRM_IOCTL_PRIME_FD_TO_HANDLE', DRM_IOCTL_BASE, 0x2e, drmPrimeHandle);
export const DRM_IOCTL_MODE_CREATE_DUMB = iowr('DRM_IOCTL_MODE_CREATE_DUMB', DRM_IOCTL_BASE, 0xb2, drmModeCreateDumb);
export const DRM_IOCTL_MODE_MAP_DUMB = iowr('DRM_IOCTL_MODE_MAP_DUMB', DRM_IOCTL_BASE, 0xb3, drmModeMapDumb);
export const DRM_IOCTL_MODE_DESTROY_DUMB = iowr(
  'DRM_IOCTL_MODE_DESTROY_DUMB',
  DRM_IOCTL_BASE,
  0xb4,
  drmModeDestroyDumb,
);
