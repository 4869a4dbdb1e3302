/** What a program does with sync objects. Source: include/uapi/drm/drm.h, v6.12. */
import { isErrno, type Nanoseconds, type Task } from '@dmabuf-lab/core/base';
import * as abi from '../abi/drm-syncobj.js';
import type { Process } from '../kernel/process.js';

/** @returns its handle, in this open file */
export function* createSyncObject(process: Process, drm: number, isSignalled = false): Task<number> {
  const flags = isSignalled ? abi.DRM_SYNCOBJ_CREATE.SIGNALED : 0;
  const { handle } = yield* process.command(drm, abi.DRM_IOCTL_SYNCOBJ_CREATE, { flags });
  return handle;
}

/** @throws ErrnoError EINVAL when there is none */
export function* destroySyncObject(process: Process, drm: number, handle: number): Task<void> {
  yield* process.command(drm, abi.DRM_IOCTL_SYNCOBJ_DESTROY, { handle });
}

/** Signals a point of a timeline from the processor. @throws ErrnoError ENOENT */
export function* signalSyncPoint(process: Process, drm: number, handle: number, point: bigint): Task<void> {
  const { handles, points, drop } = putPoint(process, handle, point);
  try {
    yield* process.command(drm, abi.DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL, { handles, points, count_handles: 1 });
  } finally {
    drop();
  }
}

/**
 * Waits for a point of a timeline, also when nobody has submitted it yet.
 *
 * @param untilNs on the clock of the kernel
 * @returns whether it was signalled in time
 * @throws ErrnoError ENOENT
 */
export function* waitSyncPoint(
  process: Process,
  drm: number,
  handle: number,
  point: bigint,
  untilNs: Nanoseconds,
): Task<boolean> {
  const { handles, points, drop } = putPoint(process, handle, point);
  const { ALL, FOR_SUBMIT } = abi.DRM_SYNCOBJ_WAIT;
  const how = { count_handles: 1, flags: ALL | FOR_SUBMIT, timeout_nsec: BigInt(untilNs) };
  try {
    yield* process.command(drm, abi.DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, { handles, points, ...how });
    return true;
  } catch (error) {
    if (isErrno(error, 'ETIME')) return false;
    throw error;
  } finally {
    drop();
  }
}

/** The fence that it holds now, as a sync file. @returns a descriptor @throws ErrnoError ENOENT, EINVAL, EMFILE */
export function* exportSyncObject(process: Process, drm: number, handle: number): Task<number> {
  const flags = abi.DRM_SYNCOBJ_HANDLE.SYNC_FILE;
  const { fd } = yield* process.command(drm, abi.DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, { handle, flags });
  return fd;
}

/** Puts the fence of a sync file into it. @throws ErrnoError ENOENT, EINVAL */
export function* importIntoSyncObject(process: Process, drm: number, handle: number, syncFile: number): Task<void> {
  const flags = abi.DRM_SYNCOBJ_HANDLE.SYNC_FILE;
  yield* process.command(drm, abi.DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, { handle, flags, fd: syncFile });
}

/** A handle and a point in user memory. */
function putPoint(process: Process, handle: number, point: bigint) {
  const handles = process.user.put(new Uint8Array(Uint32Array.of(handle).buffer));
  const points = process.user.put(new Uint8Array(BigUint64Array.of(point).buffer));
  const drop = (): void => {
    process.user.drop(handles);
    process.user.drop(points);
  };
  return { handles, points, drop };
}
