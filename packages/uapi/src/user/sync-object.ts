/**
 * What a program does with sync objects of a DRM node: binary ones hold one fence, timelines a chain of points.
 *
 * Source: drm_syncobj ioctls, include/uapi/drm/drm.h, v6.12. Points are bigint, since they have 64 bits; 0 stands for the
 * binary payload.
 */
import { isErrno, type Nanoseconds, type Task } from '@dmabuf-lab/core/base';
import * as abi from '../abi/drm-syncobj.js';
import type { Process } from '../kernel/process.js';
import { withArrays } from './user-array.js';

const NONE = 2n ** 63n - 1n;

/** A sync object, and for a timeline one of its points. */
export interface SyncPointOf {
  readonly handle: number;
  /** Absent = the binary payload. */
  readonly point?: bigint;
}

/** How to wait. */
export interface SyncWaitOptions {
  /** Instant at which to give up, on the kernel's clock; absent = never. */
  readonly untilNs?: Nanoseconds;
  /** For all of them; absent = for any. */
  readonly all?: boolean;
  /** Also for fences that are not there yet; absent = such a one is an error. */
  readonly forSubmit?: boolean;
  /** Only until the fences are there, signalled or not. */
  readonly available?: boolean;
  /** A hint to whoever signals. */
  readonly deadlineNs?: Nanoseconds;
}

/** @returns a handle @throws ErrnoError EOPNOTSUPP when the device has no sync objects */
export function* createSyncObject(process: Process, drm: number, options: { signalled?: boolean } = {}): Task<number> {
  const flags = options.signalled === true ? abi.DRM_SYNCOBJ_CREATE.SIGNALED : 0;
  return (yield* process.command(drm, abi.DRM_IOCTL_SYNCOBJ_CREATE, { flags })).handle;
}

/** @throws ErrnoError EINVAL when there is no such handle */
export function* destroySyncObject(process: Process, drm: number, handle: number): Task<void> {
  yield* process.command(drm, abi.DRM_IOCTL_SYNCOBJ_DESTROY, { handle });
}

/**
 * Waits for sync objects.
 *
 * @returns the position of the first that was signalled (0 when all were waited for); undefined when time was up
 * @throws ErrnoError ENOENT when there is no such handle, EINVAL when a fence is not there and `forSubmit` is not given
 */
export function* waitSyncObjects(
  process: Process,
  drm: number,
  objects: readonly SyncPointOf[],
  options: SyncWaitOptions = {},
): Task<number | undefined> {
  const { ALL, FOR_SUBMIT, AVAILABLE, DEADLINE } = abi.DRM_SYNCOBJ_WAIT;
  const flags =
    (options.all === true ? ALL : 0) |
    (options.forSubmit === true ? FOR_SUBMIT : 0) |
    (options.available === true ? AVAILABLE : 0) |
    (options.deadlineNs === undefined ? 0 : DEADLINE);
  const common = {
    timeout_nsec: options.untilNs === undefined ? NONE : BigInt(options.untilNs),
    count_handles: objects.length,
    flags,
    deadline_nsec: BigInt(options.deadlineNs ?? 0),
  };
  try {
    return yield* withObjects(process, objects, function* (handles, points) {
      const given = { ...common, handles, points };
      const { first_signaled } = yield* process.command(drm, abi.DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, given);
      return options.all === true ? 0 : first_signaled;
    });
  } catch (error) {
    if (isErrno(error, 'ETIME')) return undefined;
    throw error;
  }
}

/** Takes their fences away. @throws ErrnoError ENOENT, EINVAL */
export function* resetSyncObjects(process: Process, drm: number, handles: readonly number[]): Task<void> {
  yield* withArrays(process, [handles], ([list]) =>
    process.command(drm, abi.DRM_IOCTL_SYNCOBJ_RESET, { handles: list.address, count_handles: handles.length }),
  );
}

/** Signals binary ones, and points of timelines. @throws ErrnoError ENOENT, EINVAL */
export function* signalSyncObjects(process: Process, drm: number, objects: readonly SyncPointOf[]): Task<void> {
  yield* withObjects(process, objects, (handles, points) => {
    const given = { handles, points, count_handles: objects.length };
    return process.command(drm, abi.DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL, given);
  });
}

/** The last signalled point of each timeline, or the last submitted one. @throws ErrnoError ENOENT, EINVAL */
export function* querySyncObjects(
  process: Process,
  drm: number,
  handles: readonly number[],
  which: 'signalled' | 'submitted' = 'signalled',
): Task<bigint[]> {
  const flags = which === 'submitted' ? abi.DRM_SYNCOBJ_QUERY.LAST_SUBMITTED : 0;
  return yield* withArrays(process, [handles, handles.map(() => 0n)], function* ([list, points]) {
    const given = { handles: list.address, points: points.address, count_handles: handles.length, flags };
    yield* process.command(drm, abi.DRM_IOCTL_SYNCOBJ_QUERY, given);
    return handles.map((_, i) => points.view.getBigUint64(i * 8, true));
  });
}

/**
 * Puts the fence of one into another.
 *
 * @param options `forSubmit`: waits for it to be there @throws ErrnoError ENOENT, EINVAL
 */
export function* transferSyncPoint(
  process: Process,
  drm: number,
  from: SyncPointOf,
  to: SyncPointOf,
  options: { readonly forSubmit?: boolean } = {},
): Task<void> {
  yield* process.command(drm, abi.DRM_IOCTL_SYNCOBJ_TRANSFER, {
    src_handle: from.handle,
    src_point: from.point ?? 0n,
    dst_handle: to.handle,
    dst_point: to.point ?? 0n,
    flags: options.forSubmit === true ? abi.DRM_SYNCOBJ_WAIT.FOR_SUBMIT : 0,
  });
}

/** Shares the sync object itself. @returns a descriptor @throws ErrnoError ENOENT, EMFILE */
export function* exportSyncObject(process: Process, drm: number, handle: number): Task<number> {
  return (yield* process.command(drm, abi.DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, { handle, fd: -1 })).fd;
}

/** @returns a handle of the same sync object @throws ErrnoError EINVAL when the descriptor is none */
export function* importSyncObject(process: Process, drm: number, fd: number): Task<number> {
  return (yield* process.command(drm, abi.DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, { fd })).handle;
}

/** The fence that it holds, as a sync file. @returns a descriptor @throws ErrnoError ENOENT, EINVAL when it holds none */
export function* syncObjectToSyncFile(process: Process, drm: number, handle: number): Task<number> {
  const flags = abi.DRM_SYNCOBJ_HANDLE.SYNC_FILE;
  return (yield* process.command(drm, abi.DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, { handle, flags, fd: -1 })).fd;
}

/** Puts the fence of a sync file into a sync object. @throws ErrnoError ENOENT, EINVAL */
export function* syncFileToSyncObject(process: Process, drm: number, handle: number, syncFile: number): Task<void> {
  const flags = abi.DRM_SYNCOBJ_HANDLE.SYNC_FILE;
  yield* process.command(drm, abi.DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, { handle, flags, fd: syncFile });
}

/** Has an eventfd count when a point is signalled, or only there. @throws ErrnoError ENOENT, EBADF, EINVAL */
export function* notifySyncPoint(
  process: Process,
  drm: number,
  { handle, point = 0n }: SyncPointOf,
  eventFd: number,
  when: 'signalled' | 'available' = 'signalled',
): Task<void> {
  const flags = when === 'available' ? abi.DRM_SYNCOBJ_WAIT.AVAILABLE : 0;
  yield* process.command(drm, abi.DRM_IOCTL_SYNCOBJ_EVENTFD, { handle, point, fd: eventFd, flags });
}

function withObjects<T>(
  process: Process,
  objects: readonly SyncPointOf[],
  call: (handles: bigint, points: bigint) => Task<T>,
): Task<T> {
  const lists = [objects.map(({ handle }) => handle), objects.map(({ point = 0n }) => point)];
  return withArrays(process, lists, ([handles, points]) => call(handles.address, points.address));
}
