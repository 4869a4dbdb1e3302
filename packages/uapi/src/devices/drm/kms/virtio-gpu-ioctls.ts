/** Ioctls of virtio-gpu itself, without a 3D renderer. Source: drivers/gpu/drm/virtio/virtgpu_ioctl.c, v6.12. */
import { ErrnoError } from '@dmabuf-lab/core/base';
import { DRM_IOCTL_VIRTGPU_EXECBUFFER, DRM_IOCTL_VIRTGPU_MAP, type virtgpuMap } from '../../../abi/virtgpu.js';
import { type DrmIoctl, drmIoctl, PERMIT, type StructCall } from '../ioctl-table.js';

/** Source: virtio_gpu_map_ioctl. @throws ErrnoError ENOENT */
function map({ file, data }: StructCall<ReturnType<typeof virtgpuMap.decode>>): void {
  const object = file.needObject(data.handle, DRM_IOCTL_VIRTGPU_MAP.name);
  data.offset = BigInt(file.device.rangeOf(object));
}

/** Source: virtio_gpu_execbuffer_ioctl, has_virgl_3d. */
function execute(): void {
  throw new ErrnoError('ENOSYS', DRM_IOCTL_VIRTGPU_EXECBUFFER.name, 'Cannot run commands: the device has no renderer');
}

export const virtioGpuIoctls: readonly (readonly [number, DrmIoctl])[] = [
  drmIoctl(DRM_IOCTL_VIRTGPU_MAP, PERMIT.RENDER_ALLOW, map),
  drmIoctl(DRM_IOCTL_VIRTGPU_EXECBUFFER, PERMIT.RENDER_ALLOW, execute),
];
