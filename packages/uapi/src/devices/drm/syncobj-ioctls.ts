/** Sync objects by handle. Source: drivers/gpu/drm/drm_syncobj.c, v6.12. */
import { ErrnoError, type Nanoseconds, type Task } from '@dmabuf-lab/core/base';
import { type Fence, SUBMIT_TIMEOUT_NS, SyncObject, SyncObjectWait, type SyncPoint } from '@dmabuf-lab/core/sync';
import * as abi from '../../abi/drm-syncobj.js';
import { O } from '../../abi/fcntl.js';
import { EventFile } from '../../files/eventfd.js';
import { SyncFileFile, syncFileOf } from '../../files/sync-file.js';
import { OpenFile } from '../../kernel/open-file.js';
import type { Process } from '../../kernel/process.js';
import type { DrmFile } from './drm-file.js';
import { type DrmIoctl, drmIoctl, PERMIT, type StructCall } from './ioctl-table.js';

const { RENDER_ALLOW } = PERMIT;

/** The largest block of kmalloc. Source: KMALLOC_MAX_SIZE. */
const KMALLOC_MAX_BYTES = 2 ** 22;
const HANDLE_BYTES = 4;
const MAX_POINT = BigInt(Number.MAX_SAFE_INTEGER);

/** A sync object as handles and descriptors refer to it. Source: refcount of struct drm_syncobj. */
class HeldSyncObject {
  #references = 1;
  constructor(readonly object: SyncObject) {}

  hold(): this {
    this.#references += 1;
    return this;
  }

  drop(): void {
    this.#references -= 1;
    if (this.#references === 0) this.object.release();
  }
}

/** Source: drm_syncobj_file_fops. */
class SyncObjectFile extends OpenFile {
  readonly linkTarget = 'anon_inode:syncobj_file';

  constructor(readonly held: HeldSyncObject) {
    super(O.RDONLY);
  }

  protected override release(): void {
    this.held.drop();
  }
}

/** Handles of an open file: the lowest free number from 1. */
class SyncObjectTable {
  readonly #handles = new Map<number, HeldSyncObject>();

  add(held: HeldSyncObject): number {
    let handle = 1;
    while (this.#handles.has(handle)) handle += 1;
    this.#handles.set(handle, held);
    return handle;
  }

  get(handle: number): HeldSyncObject | undefined {
    return this.#handles.get(handle);
  }

  remove(handle: number): boolean {
    const held = this.#handles.get(handle);
    if (held === undefined) return false;
    this.#handles.delete(handle);
    held.drop();
    return true;
  }

  close(): void {
    for (const handle of [...this.#handles.keys()]) this.remove(handle);
  }
}

const tables = new WeakMap<DrmFile, SyncObjectTable>();

/** The handles of an open file, made at first use. */
function tableOf(file: DrmFile): SyncObjectTable {
  let table = tables.get(file);
  if (table === undefined) {
    table = new SyncObjectTable();
    tables.set(file, table);
  }
  return table;
}

/** Lets go of all handles of a file that is closed. Source: drm_syncobj_release. */
export function releaseSyncObjects(file: DrmFile): void {
  tables.get(file)?.close();
}

function refusal(code: 'EINVAL' | 'ENOENT' | 'EBADF', op: string, why: string): ErrnoError {
  return new ErrnoError(code, op, `Cannot do it: ${why}`);
}

function find(file: DrmFile, handle: number, op: string, code: 'EINVAL' | 'ENOENT' = 'ENOENT'): HeldSyncObject {
  const held = tableOf(file).get(handle);
  if (held === undefined) throw refusal(code, op, `there is no sync object ${handle}`);
  return held;
}

/** The sync object of a handle, for a driver that takes and gives fences by them. @throws ErrnoError ENOENT */
export function needSyncObject(file: DrmFile, handle: number, op: string): SyncObject {
  return find(file, handle, op).object;
}

/** The fence of a point; 0 = whatever it holds. Source: drm_syncobj_find_fence. @throws ErrnoError EINVAL when it has none */
export const fenceOfPoint = (object: SyncObject, point: bigint): Fence => object.findFence(toPoint(point));

/** Gives a point a fence; 0 = in place of whatever it held. Source: drm_syncobj_add_point, drm_syncobj_replace_fence. */
export function giveFence(object: SyncObject, point: bigint, fence: Fence): void {
  if (point === 0n) {
    object.replaceFence(fence);
    return;
  }
  noteFar(object, point);
  object.addPoint(fence, toPoint(point));
}

function create({ file, data }: StructCall<ReturnType<typeof abi.drmSyncobjCreate.decode>>): void {
  const op = abi.DRM_IOCTL_SYNCOBJ_CREATE.name;
  if ((data.flags & ~abi.DRM_SYNCOBJ_CREATE.SIGNALED) !== 0) throw refusal('EINVAL', op, `flags ${data.flags}`);
  const signalled = (data.flags & abi.DRM_SYNCOBJ_CREATE.SIGNALED) !== 0;
  const object = new SyncObject(file.device.kernel.fences, { signalled });
  data.handle = tableOf(file).add(new HeldSyncObject(object));
}

function destroy({ file, data }: StructCall<ReturnType<typeof abi.drmSyncobjDestroy.decode>>): void {
  const op = abi.DRM_IOCTL_SYNCOBJ_DESTROY.name;
  if (data.pad !== 0) throw refusal('EINVAL', op, 'pad must be 0');
  if (!tableOf(file).remove(data.handle)) throw refusal('EINVAL', op, `there is no sync object ${data.handle}`);
}

/** Source: drm_syncobj_handle_to_fd_ioctl. */
function handleToFd({ file, process, data }: StructCall<ReturnType<typeof abi.drmSyncobjHandle.decode>>): void {
  const op = abi.DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD.name;
  const { SYNC_FILE } = abi.DRM_SYNCOBJ_HANDLE;
  if (data.pad !== 0) throw refusal('EINVAL', op, 'pad must be 0');
  if (data.flags !== 0 && data.flags !== SYNC_FILE) throw refusal('EINVAL', op, `flags ${data.flags}`);
  if (data.flags === SYNC_FILE) {
    process.fds.reserve();
    const { object } = find(file, data.handle, op);
    data.fd = process.install(new SyncFileFile(file.device.kernel, object.exportSyncFile()), O.CLOEXEC);
    return;
  }
  const held = find(file, data.handle, op, 'EINVAL');
  process.fds.reserve();
  data.fd = process.install(new SyncObjectFile(held.hold()), O.CLOEXEC);
}

/** Source: drm_syncobj_fd_to_handle_ioctl. */
function fdToHandle({ file, process, data }: StructCall<ReturnType<typeof abi.drmSyncobjHandle.decode>>): void {
  const op = abi.DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE.name;
  const { SYNC_FILE } = abi.DRM_SYNCOBJ_HANDLE;
  if (data.pad !== 0) throw refusal('EINVAL', op, 'pad must be 0');
  if (data.flags !== 0 && data.flags !== SYNC_FILE) throw refusal('EINVAL', op, `flags ${data.flags}`);
  if (data.flags === SYNC_FILE) {
    const syncFile = syncFileOf(process, data.fd);
    if (syncFile === undefined) throw refusal('EINVAL', op, `descriptor ${data.fd} is no sync file`);
    find(file, data.handle, op).object.importSyncFile(syncFile);
    file.device.kernel.changed();
    return;
  }
  const from = process.fds.has(data.fd) ? process.fds.file(data.fd, op) : undefined;
  if (!(from instanceof SyncObjectFile)) throw refusal('EINVAL', op, `descriptor ${data.fd} is no sync object`);
  data.handle = tableOf(file).add(from.held.hold());
}

/** An array of numbers in user memory. */
function numbersAt(process: Process, address: bigint, count: number, op: string): number[] {
  const bytes = process.user.read(address, count * HANDLE_BYTES, op);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: count }, (_, i) => view.getUint32(i * HANDLE_BYTES, true));
}

function pointsAt(process: Process, address: bigint, count: number, op: string): bigint[] {
  const bytes = process.user.read(address, count * 8, op);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: count }, (_, i) => view.getBigUint64(i * 8, true));
}

/** Points beyond 2^53 fall together with the last of those below: nobody counts so far. */
const toPoint = (point: bigint): number => Number(point > MAX_POINT ? MAX_POINT : point);

/** The largest point beyond 2^53 that a sync object was given, for those who ask for it. */
const farthest = new WeakMap<SyncObject, bigint>();

function noteFar(object: SyncObject, point: bigint): void {
  if (point > (farthest.get(object) ?? MAX_POINT)) farthest.set(object, point);
}

const fromPoint = (object: SyncObject, point: number): bigint =>
  BigInt(point) < MAX_POINT ? BigInt(point) : (farthest.get(object) ?? BigInt(point));

/** Source: drm_syncobj_array_find. @throws ErrnoError ENOMEM, EFAULT, ENOENT; then nothing has been done */
function objectsAt(file: DrmFile, process: Process, address: bigint, count: number, op: string): SyncObject[] {
  if (count * HANDLE_BYTES > KMALLOC_MAX_BYTES) {
    throw new ErrnoError('ENOMEM', op, `Cannot take ${count} handles: the kernel has no room for so many`);
  }
  return numbersAt(process, address, count, op).map((handle) => find(file, handle, op).object);
}

interface WaitData {
  readonly handles: bigint;
  readonly points?: bigint;
  readonly timeout_nsec: bigint;
  readonly count_handles: number;
  readonly flags: number;
  first_signaled: number;
  readonly pad: number;
  readonly deadline_nsec: bigint;
}

/** Source: drm_syncobj_wait_ioctl, drm_syncobj_timeline_wait_ioctl. */
function* wait({ file, process, data }: StructCall<WaitData>, op: string, valid: number): Task<void> {
  if ((data.flags & ~valid) !== 0) throw refusal('EINVAL', op, `flags ${data.flags}`);
  if (data.count_handles === 0) return;
  const objects = objectsAt(file, process, data.handles, data.count_handles, op);
  const points =
    data.points === undefined || data.points === 0n
      ? objects.map(() => 0)
      : pointsAt(process, data.points, data.count_handles, op).map(toPoint);
  const flag = (bit: number): boolean => (data.flags & bit) !== 0;
  const { ALL, FOR_SUBMIT, AVAILABLE, DEADLINE } = abi.DRM_SYNCOBJ_WAIT;
  const options = {
    all: flag(ALL),
    forSubmit: flag(FOR_SUBMIT),
    available: flag(AVAILABLE),
    ...(flag(DEADLINE) && { deadlineNs: Number(data.deadline_nsec) }),
  };
  const pairs = objects.map((syncObject, i): SyncPoint => ({ syncObject, point: points[i] }));
  const first = yield* waitFor(process, new SyncObjectWait(pairs, options), timeOf(data.timeout_nsec));
  if (first !== undefined) data.first_signaled = first;
}

/** A time that has passed is only looked at. Source: drm_timeout_abs_to_jiffies. */
const timeOf = (timeout: bigint): Nanoseconds =>
  timeout >= MAX_POINT ? Number.POSITIVE_INFINITY : Number(timeout < 0n ? 0n : timeout);

function* waitFor(process: Process, started: SyncObjectWait, untilNs: Nanoseconds): Task<number | undefined> {
  const { kernel } = process;
  try {
    if (started.isComplete) return started.first;
    if (untilNs <= kernel.now()) return started.expire();
    started.whenComplete(() => kernel.changed());
    const isDone = yield* process.wait(() => (started.isComplete ? true : undefined), untilNs, 'sync objects');
    return isDone === undefined ? started.expire() : started.first;
  } finally {
    started.cancel();
  }
}

/** Source: drm_syncobj_reset_ioctl, drm_syncobj_signal_ioctl. */
function onEach(
  { file, process, data }: StructCall<ReturnType<typeof abi.drmSyncobjArray.decode>>,
  op: string,
  act: (object: SyncObject) => void,
): void {
  if (data.pad !== 0) throw refusal('EINVAL', op, 'pad must be 0');
  if (data.count_handles === 0) throw refusal('EINVAL', op, 'there are no handles');
  for (const object of objectsAt(file, process, data.handles, data.count_handles, op)) act(object);
  file.device.kernel.changed();
}

type TimelineArray = StructCall<ReturnType<typeof abi.drmSyncobjTimelineArray.decode>>;

/** Source: drm_syncobj_timeline_signal_ioctl. */
function timelineSignal({ file, process, data }: TimelineArray): void {
  const op = abi.DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL.name;
  if (data.flags !== 0) throw refusal('EINVAL', op, `flags ${data.flags}`);
  if (data.count_handles === 0) throw refusal('EINVAL', op, 'there are no handles');
  const objects = objectsAt(file, process, data.handles, data.count_handles, op);
  const points = data.points === 0n ? objects.map(() => 0n) : pointsAt(process, data.points, data.count_handles, op);
  for (const [i, object] of objects.entries()) {
    noteFar(object, points[i]);
    object.signalPoint(toPoint(points[i]));
  }
  file.device.kernel.changed();
}

/** Source: drm_syncobj_query_ioctl. */
function query({ file, process, data }: TimelineArray): void {
  const op = abi.DRM_IOCTL_SYNCOBJ_QUERY.name;
  const { LAST_SUBMITTED } = abi.DRM_SYNCOBJ_QUERY;
  if ((data.flags & ~LAST_SUBMITTED) !== 0) throw refusal('EINVAL', op, `flags ${data.flags}`);
  if (data.count_handles === 0) throw refusal('EINVAL', op, 'there are no handles');
  const objects = objectsAt(file, process, data.handles, data.count_handles, op);
  const bytes = new Uint8Array(objects.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [i, object] of objects.entries()) {
    const point = (data.flags & LAST_SUBMITTED) === 0 ? object.query() : object.queryLastSubmitted();
    view.setBigUint64(i * 8, fromPoint(object, point), true);
  }
  process.user.write(data.points, bytes, op);
}

/** Source: drm_syncobj_transfer_ioctl. */
function* transfer({ file, process, data }: StructCall<ReturnType<typeof abi.drmSyncobjTransfer.decode>>): Task<void> {
  const op = abi.DRM_IOCTL_SYNCOBJ_TRANSFER.name;
  if (data.pad !== 0) throw refusal('EINVAL', op, 'pad must be 0');
  const target = find(file, data.dst_handle, op).object;
  const source = find(file, data.src_handle, op).object;
  const sourcePoint = toPoint(data.src_point);
  if ((data.flags & ~abi.DRM_SYNCOBJ_WAIT.FOR_SUBMIT) !== 0) throw refusal('EINVAL', op, `flags ${data.flags}`);
  if ((data.flags & abi.DRM_SYNCOBJ_WAIT.FOR_SUBMIT) !== 0 && !source.isSubmitted(sourcePoint)) {
    yield* submission(process, source, sourcePoint, op);
  }
  noteFar(target, data.dst_point);
  target.transferFrom(source, sourcePoint, toPoint(data.dst_point));
  file.device.kernel.changed();
}

/** Waits until a point has a fence. @throws ErrnoError ETIME */
function* submission(process: Process, source: SyncObject, point: number, op: string): Task<void> {
  const { kernel } = process;
  const look = (): true | undefined => (source.isSubmitted(point) ? true : undefined);
  const isThere = yield* process.wait(look, kernel.now() + SUBMIT_TIMEOUT_NS, 'the source of a transfer');
  if (isThere === undefined) throw new ErrnoError('ETIME', op, `Cannot transfer point ${point}: it was not submitted`);
}

/** Source: drm_syncobj_eventfd_ioctl. */
function eventfd({ file, process, data }: StructCall<ReturnType<typeof abi.drmSyncobjEventfd.decode>>): void {
  const op = abi.DRM_IOCTL_SYNCOBJ_EVENTFD.name;
  if ((data.flags & ~abi.DRM_SYNCOBJ_WAIT.AVAILABLE) !== 0) throw refusal('EINVAL', op, `flags ${data.flags}`);
  if (data.pad !== 0) throw refusal('EINVAL', op, 'pad must be 0');
  const { object } = find(file, data.handle, op);
  const event = process.fds.file(data.fd, op);
  if (!(event instanceof EventFile)) throw refusal('EINVAL', op, `descriptor ${data.fd} is no eventfd`);
  const available = (data.flags & abi.DRM_SYNCOBJ_WAIT.AVAILABLE) !== 0;
  object.listen(toPoint(data.point), () => event.signal(), available);
}

const { ALL, FOR_SUBMIT, AVAILABLE, DEADLINE } = abi.DRM_SYNCOBJ_WAIT;

/** For the table of a driver with sync objects. */
export const syncobjIoctls: readonly (readonly [number, DrmIoctl])[] = [
  drmIoctl(abi.DRM_IOCTL_SYNCOBJ_CREATE, RENDER_ALLOW, create),
  drmIoctl(abi.DRM_IOCTL_SYNCOBJ_DESTROY, RENDER_ALLOW, destroy),
  drmIoctl(abi.DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, RENDER_ALLOW, handleToFd),
  drmIoctl(abi.DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, RENDER_ALLOW, fdToHandle),
  drmIoctl(abi.DRM_IOCTL_SYNCOBJ_WAIT, RENDER_ALLOW, (call) =>
    wait(call, abi.DRM_IOCTL_SYNCOBJ_WAIT.name, ALL | FOR_SUBMIT | DEADLINE),
  ),
  drmIoctl(abi.DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, RENDER_ALLOW, (call) =>
    wait(call, abi.DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT.name, ALL | FOR_SUBMIT | AVAILABLE | DEADLINE),
  ),
  drmIoctl(abi.DRM_IOCTL_SYNCOBJ_RESET, RENDER_ALLOW, (call) =>
    onEach(call, abi.DRM_IOCTL_SYNCOBJ_RESET.name, (object) => {
      farthest.delete(object);
      object.reset();
    }),
  ),
  drmIoctl(abi.DRM_IOCTL_SYNCOBJ_SIGNAL, RENDER_ALLOW, (call) =>
    onEach(call, abi.DRM_IOCTL_SYNCOBJ_SIGNAL.name, (object) => object.signal()),
  ),
  drmIoctl(abi.DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL, RENDER_ALLOW, timelineSignal),
  drmIoctl(abi.DRM_IOCTL_SYNCOBJ_QUERY, RENDER_ALLOW, query),
  drmIoctl(abi.DRM_IOCTL_SYNCOBJ_TRANSFER, RENDER_ALLOW, transfer),
  drmIoctl(abi.DRM_IOCTL_SYNCOBJ_EVENTFD, RENDER_ALLOW, eventfd),
];
