/** Source: include/uapi/drm/virtgpu_drm.h, v6.12. */
import { DRM_COMMAND_BASE, DRM_IOCTL_BASE } from './drm.js';
import { iowr } from './ioctl.js';
import { s32, struct, u32, u64 } from './struct.js';

export const virtgpuMap = struct('drm_virtgpu_map', { offset: u64, handle: u32, pad: u32 });
export const virtgpuExecbuffer = struct('drm_virtgpu_execbuffer', {
  flags: u32,
  size: u32,
  command: u64,
  bo_handles: u64,
  num_bo_handles: u32,
  fence_fd: s32,
  ring_idx: u32,
  syncobj_stride: u32,
  num_in_syncobjs: u32,
  num_out_syncobjs: u32,
  in_syncobjs: u64,
  out_syncobjs: u64,
});

export const DRM_IOCTL_VIRTGPU_MAP = iowr('DRM_IOCTL_VIRTGPU_MAP', DRM_IOCTL_BASE, DRM_COMMAND_BASE + 1, virtgpuMap);
export const DRM_IOCTL_VIRTGPU_EXECBUFFER = iowr(
  'DRM_IOCTL_VIRTGPU_EXECBUFFER',
  DRM_IOCTL_BASE,
  DRM_COMMAND_BASE + 2,
  virtgpuExecbuffer,
);
