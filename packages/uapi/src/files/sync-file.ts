/** A sync file: a fence as a descriptor. Source: drivers/dma-buf/sync_file.c, v6.12. */
import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
import { type Fence, type SyncFenceInfo, SyncFile } from '@dmabuf-lab/core/sync';
import { O, POLL } from '../abi/fcntl.js';
import {
  SYNC_IOC_FILE_INFO,
  SYNC_IOC_MERGE,
  SYNC_IOC_SET_DEADLINE,
  syncFenceInfo,
  syncFileInfo,
  syncMergeData,
  syncSetDeadline,
} from '../abi/sync-file.js';
import type { SimulatedKernel } from '../kernel/kernel.js';
import { type IoctlCall, OpenFile } from '../kernel/open-file.js';
import type { Process } from '../kernel/process.js';

export class SyncFileFile extends OpenFile {
  readonly linkTarget = 'anon_inode:sync_file';
  #isWatching = false;

  constructor(
    private readonly kernel: SimulatedKernel,
    readonly syncFile: SyncFile,
  ) {
    super(O.RDONLY);
  }

  /** Source: sync_file_create. */
  static of(kernel: SimulatedKernel, fence: Fence): SyncFileFile {
    return new SyncFileFile(kernel, new SyncFile(fence));
  }

  override poll(): number {
    if (this.syncFile.poll()) return POLL.IN;
    if (!this.#isWatching) {
      this.#isWatching = true;
      this.syncFile.whenReadable(() => this.kernel.changed());
    }
    return 0;
  }

  override *ioctl(call: IoctlCall): Task<number> {
    const { process, command, argument } = call;
    switch (command) {
      case SYNC_IOC_MERGE.number:
        return this.#merge(process, argument);
      case SYNC_IOC_FILE_INFO.number:
        return this.#info(process, argument);
      case SYNC_IOC_SET_DEADLINE.number: {
        const op = SYNC_IOC_SET_DEADLINE.name;
        const { deadline_ns, pad } = process.user.readStruct(argument, syncSetDeadline, op);
        if (pad !== 0n) throw new ErrnoError('EINVAL', op, 'Cannot set a deadline: pad must be 0');
        this.syncFile.setDeadline(Number(deadline_ns));
        return 0;
      }
      default:
        return yield* super.ioctl(call);
    }
  }

  /** Source: sync_file_ioctl_merge. */
  #merge(process: Process, argument: bigint): number {
    const op = SYNC_IOC_MERGE.name;
    process.fds.reserve();
    const data = process.user.readStruct(argument, syncMergeData, op);
    if (data.flags !== 0 || data.pad !== 0) throw new ErrnoError('EINVAL', op, 'Cannot merge: flags and pad must be 0');
    const other = syncFileOf(process, data.fd2);
    if (other === undefined) {
      throw new ErrnoError('ENOENT', op, `Cannot merge with descriptor ${data.fd2}: it is no sync file`);
    }
    const merged = this.syncFile.merge(other, data.name, this.kernel.fences);
    data.fence = process.install(new SyncFileFile(this.kernel, merged), O.CLOEXEC);
    process.user.writeStruct(argument, syncMergeData, data, op);
    return 0;
  }

  /** Source: sync_file_ioctl_fence_info. */
  #info(process: Process, argument: bigint): number {
    const op = SYNC_IOC_FILE_INFO.name;
    const info = process.user.readStruct(argument, syncFileInfo, op);
    if (info.flags !== 0 || info.pad !== 0) throw new ErrnoError('EINVAL', op, 'Cannot tell: flags and pad must be 0');
    const count = this.syncFile.countFences();
    if (info.num_fences === 0) info.status = this.syncFile.status;
    else {
      if (info.num_fences < count) {
        throw new ErrnoError('EINVAL', op, `Cannot tell of ${count} fences: there is room for ${info.num_fences}`);
      }
      const { status, fences } = this.syncFile.info();
      info.status = status;
      for (const [i, fence] of fences.entries()) {
        const at = info.sync_fence_info + BigInt(i * syncFenceInfo.size);
        process.user.writeStruct(at, syncFenceInfo, fenceInfo(fence), op);
      }
    }
    info.name = this.syncFile.name;
    info.num_fences = count;
    process.user.writeStruct(argument, syncFileInfo, info, op);
    return 0;
  }
}

/** Source: sync_fill_fence_info. A time of 0 means pending, so that the first instant counts as the first nanosecond. */
function fenceInfo({
  driverName,
  timelineName,
  status,
  timestampNs,
}: SyncFenceInfo): ReturnType<typeof syncFenceInfo.decode> {
  const timestamp_ns = status === 0 ? 0n : BigInt(Math.max(1, timestampNs));
  return { obj_name: timelineName, driver_name: driverName, status, flags: 0, timestamp_ns };
}

/** The sync file of a descriptor; undefined when it is of something else. Source: sync_file_fdget. */
export function syncFileOf(process: Process, fd: number): SyncFile | undefined {
  if (!process.fds.has(fd)) return undefined;
  const file = process.fds.file(fd, 'sync_file_fdget');
  return file instanceof SyncFileFile ? file.syncFile : undefined;
}

/** The fence of a descriptor; undefined when it is none of a sync file. Source: sync_file_get_fence. */
export function fenceOfDescriptor(process: Process, fd: number): Fence | undefined {
  return syncFileOf(process, fd)?.fence;
}
