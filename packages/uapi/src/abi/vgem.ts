/** Source: include/uapi/drm/vgem_drm.h, v6.12. */
import { DRM_COMMAND_BASE, DRM_IOCTL_BASE } from './drm.js';
import { iow, iowr } from './ioctl.js';
import { struct, u32 } from './struct.js';

export const VGEM_FENCE = { WRITE: 1 } as const;

export const vgemFenceAttach = struct('drm_vgem_fence_attach', { handle: u32, flags: u32, out_fence: u32, pad: u32 });
export const vgemFenceSignal = struct('drm_vgem_fence_signal', { fence: u32, flags: u32 });

export const DRM_IOCTL_VGEM_FENCE_ATTACH = iowr(
  'DRM_IOCTL_VGEM_FENCE_ATTACH',
  DRM_IOCTL_BASE,
  DRM_COMMAND_BASE + 1,
  vgemFenceAttach,
);
export const DRM_IOCTL_VGEM_FENCE_SIGNAL = iow(
  'DRM_IOCTL_VGEM_FENCE_SIGNAL',
  DRM_IOCTL_BASE,
  DRM_COMMAND_BASE + 2,
  vgemFenceSignal,
);
