/** Sync objects. Source: include/uapi/drm/drm.h, v6.12. */
import { DRM_IOCTL_BASE } from './drm.js';
import { iowr } from './ioctl.js';
import { s32, s64, struct, u32, u64 } from './struct.js';

export const DRM_SYNCOBJ_CREATE = { SIGNALED: 1 } as const;
export const DRM_SYNCOBJ_HANDLE = { SYNC_FILE: 1, TIMELINE: 2 } as const;
export const DRM_SYNCOBJ_WAIT = { ALL: 1, FOR_SUBMIT: 2, AVAILABLE: 4, DEADLINE: 8 } as const;
export const DRM_SYNCOBJ_QUERY = { LAST_SUBMITTED: 1 } as const;

export const drmSyncobjCreate = struct('drm_syncobj_create', { handle: u32, flags: u32 });
export const drmSyncobjDestroy = struct('drm_syncobj_destroy', { handle: u32, pad: u32 });
export const drmSyncobjHandle = struct('drm_syncobj_handle', { handle: u32, flags: u32, fd: s32, pad: u32 });
export const drmSyncobjWait = struct('drm_syncobj_wait', {
  handles: u64,
  timeout_nsec: s64,
  count_handles: u32,
  flags: u32,
  first_signaled: u32,
  pad: u32,
  deadline_nsec: u64,
});
export const drmSyncobjTimelineWait = struct('drm_syncobj_timeline_wait', {
  handles: u64,
  points: u64,
  timeout_nsec: s64,
  count_handles: u32,
  flags: u32,
  first_signaled: u32,
  pad: u32,
  deadline_nsec: u64,
});
export const drmSyncobjArray = struct('drm_syncobj_array', { handles: u64, count_handles: u32, pad: u32 });
export const drmSyncobjTransfer = struct('drm_syncobj_transfer', {
  src_handle: u32,
  dst_handle: u32,
  src_point: u64,
  dst_point: u64,
  flags: u32,
  pad: u32,
});
export const drmSyncobjTimelineArray = struct('drm_syncobj_timeline_array', {
  handles: u64,
  points: u64,
  count_handles: u32,
  flags: u32,
});
export const drmSyncobjEventfd = struct('drm_syncobj_eventfd', {
  handle: u32,
  flags: u32,
  point: u64,
  fd: s32,
  pad: u32,
});

export const DRM_IOCTL_SYNCOBJ_CREATE = iowr('DRM_IOCTL_SYNCOBJ_CREATE', DRM_IOCTL_BASE, 0xbf, drmSyncobjCreate);
export const DRM_IOCTL_SYNCOBJ_DESTROY = iowr('DRM_IOCTL_SYNCOBJ_DESTROY', DRM_IOCTL_BASE, 0xc0, drmSyncobjDestroy);
export const DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD = iowr(
  'DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD',
  DRM_IOCTL_BASE,
  0xc1,
  drmSyncobjHandle,
);
export const DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE = iowr(
  'DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE',
  DRM_IOCTL_BASE,
  0xc2,
  drmSyncobjHandle,
);
export const DRM_IOCTL_SYNCOBJ_WAIT = iowr('DRM_IOCTL_SYNCOBJ_WAIT', DRM_IOCTL_BASE, 0xc3, drmSyncobjWait);
export const DRM_IOCTL_SYNCOBJ_RESET = iowr('DRM_IOCTL_SYNCOBJ_RESET', DRM_IOCTL_BASE, 0xc4, drmSyncobjArray);
export const DRM_IOCTL_SYNCOBJ_SIGNAL = iowr('DRM_IOCTL_SYNCOBJ_SIGNAL', DRM_IOCTL_BASE, 0xc5, drmSyncobjArray);
export const DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT = iowr(
  'DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT',
  DRM_IOCTL_BASE,
  0xca,
  drmSyncobjTimelineWait,
);
export const DRM_IOCTL_SYNCOBJ_QUERY = iowr('DRM_IOCTL_SYNCOBJ_QUERY', DRM_IOCTL_BASE, 0xcb, drmSyncobjTimelineArray);
export const DRM_IOCTL_SYNCOBJ_TRANSFER = iowr('DRM_IOCTL_SYNCOBJ_TRANSFER', DRM_IOCTL_BASE, 0xcc, drmSyncobjTransfer);
export const DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL = iowr(
  'DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL',
  DRM_IOCTL_BASE,
  0xcd,
  drmSyncobjTimelineArray,
);
export const DRM_IOCTL_SYNCOBJ_EVENTFD = iowr('DRM_IOCTL_SYNCOBJ_EVENTFD', DRM_IOCTL_BASE, 0xcf, drmSyncobjEventfd);
