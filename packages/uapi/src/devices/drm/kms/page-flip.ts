/** Page flips. Source: drm_mode_page_flip_ioctl in drm_plane.c, drm_atomic_helper_page_flip, v6.12. */
import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
import {
  DRM_IOCTL_MODE_PAGE_FLIP,
  DRM_MODE_PAGE_FLIP,
  drmEventVblank,
  type drmModeCrtcPageFlip,
} from '../../../abi/drm-mode.js';
import { type DrmIoctl, drmIoctl, PERMIT, type StructCall } from '../ioctl-table.js';
import { commit, type PendingEvent } from './commit.js';
import { needCrtc } from './crtc.js';
import { needFramebuffer } from './framebuffer-ioctls.js';
import type { KmsDevice } from './kms-device.js';

type FlipCall = StructCall<ReturnType<typeof drmModeCrtcPageFlip.decode>>;

const TARGET = DRM_MODE_PAGE_FLIP.TARGET_ABSOLUTE | DRM_MODE_PAGE_FLIP.TARGET_RELATIVE;
const KNOWN = TARGET | DRM_MODE_PAGE_FLIP.EVENT | DRM_MODE_PAGE_FLIP.ASYNC;
const OP = DRM_IOCTL_MODE_PAGE_FLIP.name;

export const pageFlipIoctl = (kms: KmsDevice): [number, DrmIoctl] =>
  drmIoctl(DRM_IOCTL_MODE_PAGE_FLIP, PERMIT.MASTER, (call) => pageFlip(kms, call));

/** @throws ErrnoError EINVAL, ENOENT, EBUSY, ENOSPC, ENOMEM */
function* pageFlip(kms: KmsDevice, call: FlipCall): Task<void> {
  const { process, data } = call;
  checkFlags(data);
  needCrtc(kms, data.crtc_id, OP);
  // Neither device has a counter of vertical blanks, so there is nothing to aim at.
  if ((data.flags & TARGET) !== 0) throw new ErrnoError('EINVAL', OP, 'Cannot flip at a time: the device cannot');
  yield* kms.locked(process, () => flip(kms, call));
}

function checkFlags({ flags, reserved }: FlipCall['data']): void {
  const isBad =
    (flags & ~KNOWN) !== 0 ||
    (reserved !== 0 && (flags & TARGET) === 0) ||
    (flags & TARGET) === TARGET ||
    (flags & DRM_MODE_PAGE_FLIP.ASYNC) !== 0;
  if (isBad) throw new ErrnoError('EINVAL', OP, `Cannot flip: flags 0x${flags.toString(16)}, reserved ${reserved}`);
}

function* flip(kms: KmsDevice, { file, process, data }: FlipCall): Task<void> {
  const old = kms.state;
  if (old.framebuffer === undefined) throw new ErrnoError('EBUSY', OP, 'Cannot flip: nothing is shown');
  const framebuffer = needFramebuffer(kms, data.fb_id, OP);
  framebuffer.checkSource(old.source, OP);
  if (framebuffer.format !== old.framebuffer.format)
    throw new ErrnoError('EINVAL', OP, 'Cannot flip to another format');
  const hasEvent = (data.flags & DRM_MODE_PAGE_FLIP.EVENT) !== 0;
  if (hasEvent) file.reserveEvent(drmEventVblank.size, OP);
  const event: PendingEvent | undefined = hasEvent ? { file, userData: data.user_data } : undefined;
  try {
    if (!old.isActive) throw new ErrnoError('EINVAL', OP, 'Cannot flip: the CRTC is off');
    const next = { ...old, framebuffer, isPlaneOn: true };
    const change = { old, next, touchesPlane: true, touchesCrtc: true, hasEvent, allowModeset: false };
    yield* commit(kms, { change, isNonblocking: true, op: OP, process, ...(event !== undefined && { event }) });
  } catch (error) {
    if (hasEvent) file.cancelEvent(drmEventVblank.size);
    throw error;
  }
}
