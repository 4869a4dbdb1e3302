/** What mode setting keeps for an open file. Source: struct drm_file, v6.12. */
import { ErrnoError } from '@dmabuf-lab/core/base';
import { DRM_CLIENT_CAP, DRM_IOCTL_SET_CLIENT_CAP, type drmSetClientCap } from '../../../abi/drm-mode.js';
import type { DrmFile } from '../drm-file.js';
import type { StructCall } from '../ioctl-table.js';
import type { PropertyBlob } from './blob.js';
import type { DisplayDriver } from './display-driver.js';
import type { Framebuffer } from './framebuffers.js';

export class KmsFile {
  /** Those that it added and has not removed. */
  readonly framebuffers = new Set<Framebuffer>();
  readonly blobs = new Set<PropertyBlob>();
  universalPlanes = false;
  atomic = false;
  aspectRatio = false;
}

export const kmsFileOf = (file: DrmFile): KmsFile => file.driverData as KmsFile;

/** Source: drm_setclientcap; the devices here have no stereo modes, and cursors are left out. @throws ErrnoError EINVAL, EOPNOTSUPP */
export function setClientCap(
  display: DisplayDriver,
  { file, data }: StructCall<ReturnType<typeof drmSetClientCap.decode>>,
): void {
  const op = DRM_IOCTL_SET_CLIENT_CAP.name;
  const client = kmsFileOf(file);
  const { capability, value } = data;
  const refuse = (why: string): ErrnoError => new ErrnoError('EINVAL', op, `Cannot set a capability: ${why}`);
  const most = Number(capability) === DRM_CLIENT_CAP.ATOMIC ? 2n : 1n;
  const needsAtomic = Number(capability) >= DRM_CLIENT_CAP.WRITEBACK_CONNECTORS;
  if (capability === 0n || capability > BigInt(DRM_CLIENT_CAP.CURSOR_PLANE_HOTSPOT)) {
    throw refuse(`there is no capability ${capability}`);
  }
  if (Number(capability) === DRM_CLIENT_CAP.CURSOR_PLANE_HOTSPOT && !display.hasCursorHotspot) {
    throw new ErrnoError('EOPNOTSUPP', op, 'Cannot set a capability: cursors have no hot spot');
  }
  if (needsAtomic && !client.atomic) throw refuse('the client is not atomic');
  if (value > most) throw refuse(`its value is ${value}`);
  const on = value !== 0n;
  if (Number(capability) === DRM_CLIENT_CAP.UNIVERSAL_PLANES) client.universalPlanes = on;
  if (Number(capability) === DRM_CLIENT_CAP.ASPECT_RATIO) client.aspectRatio = on;
  if (Number(capability) === DRM_CLIENT_CAP.ATOMIC) {
    client.atomic = on;
    client.universalPlanes = on;
    client.aspectRatio = on;
  }
}
