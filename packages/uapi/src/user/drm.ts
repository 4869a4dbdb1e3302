/** What a program does with a DRM node. Source: include/uapi/drm/drm.h, drm_mode.h and vgem_drm.h, v6.12. */
import type { Task } from '@dmabuf-lab/core/base';
import * as abi from '../abi/drm.js';
import { MAP, O, PROT } from '../abi/fcntl.js';
import { DRM_IOCTL_VGEM_FENCE_ATTACH, DRM_IOCTL_VGEM_FENCE_SIGNAL, VGEM_FENCE } from '../abi/vgem.js';
import type { Process } from '../kernel/process.js';

/** A dumb buffer: a GEM object that can be shown and mapped. */
export interface DumbBuffer {
  readonly handle: number;
  readonly pitchBytes: number;
  readonly sizeBytes: number;
}

/** Opens a node such as `/dev/dri/card0`. @throws ErrnoError ENOENT, EMFILE */
export function openDrm(process: Process, path: string): number {
  return process.open(path, O.RDWR | O.CLOEXEC);
}

/** @throws ErrnoError EINVAL, EACCES on a render node, ENOMEM */
export function* createDumbBuffer(
  process: Process,
  drm: number,
  widthPixels: number,
  heightPixels: number,
  bitsPerPixel = 32,
): Task<DumbBuffer> {
  const given = { width: widthPixels, height: heightPixels, bpp: bitsPerPixel };
  const { handle, pitch, size } = yield* process.command(drm, abi.DRM_IOCTL_MODE_CREATE_DUMB, given);
  return { handle, pitchBytes: pitch, sizeBytes: Number(size) };
}

/** Maps it for reading and writing. @returns the address, for `process.memory` @throws ErrnoError ENOENT, EINVAL, EACCES */
export function* mapDumbBuffer(process: Process, drm: number, { handle, sizeBytes }: DumbBuffer): Task<number> {
  const { offset } = yield* process.command(drm, abi.DRM_IOCTL_MODE_MAP_DUMB, { handle });
  return process.mmap(drm, BigInt(sizeBytes), offset, PROT.READ | PROT.WRITE, MAP.SHARED);
}

/** @throws ErrnoError EINVAL when there is no such handle */
export function* closeGemHandle(process: Process, drm: number, handle: number): Task<void> {
  yield* process.command(drm, abi.DRM_IOCTL_GEM_CLOSE, { handle });
}

/** Shares an object as a dma-buf. @returns its descriptor @throws ErrnoError ENOENT, EMFILE */
export function* primeHandleToFd(process: Process, drm: number, handle: number): Task<number> {
  const given = { handle, flags: abi.DRM_CLOEXEC | abi.DRM_RDWR, fd: -1 };
  const { fd } = yield* process.command(drm, abi.DRM_IOCTL_PRIME_HANDLE_TO_FD, given);
  return fd;
}

/** Imports a dma-buf. @returns its handle, the same for the same buffer @throws ErrnoError EBADF, EINVAL */
export function* primeFdToHandle(process: Process, drm: number, buffer: number): Task<number> {
  const { handle } = yield* process.command(drm, abi.DRM_IOCTL_PRIME_FD_TO_HANDLE, { fd: buffer });
  return handle;
}

/**
 * Puts a fence on a buffer, as a device would that works on it.
 *
 * @returns its number @throws ErrnoError EBUSY when one is pending already, ENOENT
 */
export function* attachVgemFence(
  process: Process,
  vgem: number,
  handle: number,
  access: 'read' | 'write',
): Task<number> {
  const flags = access === 'write' ? VGEM_FENCE.WRITE : 0;
  const { out_fence } = yield* process.command(vgem, DRM_IOCTL_VGEM_FENCE_ATTACH, { handle, flags });
  return out_fence;
}

/** @throws ErrnoError ENOENT, ETIMEDOUT when it had signalled by itself, after 10 s */
export function* signalVgemFence(process: Process, vgem: number, fence: number): Task<void> {
  yield* process.command(vgem, DRM_IOCTL_VGEM_FENCE_SIGNAL, { fence });
}
