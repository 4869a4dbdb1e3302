/** A sync file: a fence as a descriptor. Source: drivers/dma-buf/sync_file.c, v6.12. */
import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
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
import { type FenceObject, mergeFences, unwrapFence } from '../kernel/fences-temporary.js';
import type { SimulatedKernel } from '../kernel/kernel.js';
import { type IoctlCall, OpenFile } from '../kernel/open-file.js';
import type { Process } from '../kernel/process.js';

const NAME_BYTES = 32;

export class SyncFileFile extends OpenFile {
  readonly linkTarget = 'anon_inode:sync_file';
  #isWatching = false;

  /** @param name as the user gave it; after the fence when empty */
  constructor(
    private readonly kernel: SimulatedKernel,
    readonly fence: FenceObject,
    private readonly name = '',
  ) {
    super(O.RDONLY);
  }

  override poll(): number {
    if (this.fence.isSignalled) return POLL.IN;
    if (!this.#isWatching) {
      this.#isWatching = true;
      this.fence.addCallback(() => this.kernel.changed());
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
        const { deadline_ns, pad } = process.user.readStruct(argument, syncSetDeadline, SYNC_IOC_SET_DEADLINE.name);
        if (pad !== 0n)
          throw new ErrnoError('EINVAL', SYNC_IOC_SET_DEADLINE.name, 'Cannot set a deadline: pad must be 0');
        this.fence.setDeadline(Number(deadline_ns));
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
    const other = fenceOfDescriptor(process, data.fd2);
    if (other === undefined)
      throw new ErrnoError('ENOENT', op, `Cannot merge with descriptor ${data.fd2}: it is no sync file`);
    const merged = mergeFences([this.fence, other], this.kernel.fences);
    data.fence = process.install(new SyncFileFile(this.kernel, merged, data.name.slice(0, NAME_BYTES - 1)), O.CLOEXEC);
    process.user.writeStruct(argument, syncMergeData, data, op);
    return 0;
  }

  /** Source: sync_file_ioctl_fence_info. */
  #info(process: Process, argument: bigint): number {
    const op = SYNC_IOC_FILE_INFO.name;
    const info = process.user.readStruct(argument, syncFileInfo, op);
    if (info.flags !== 0 || info.pad !== 0) throw new ErrnoError('EINVAL', op, 'Cannot tell: flags and pad must be 0');
    const leaves = [...unwrapFence(this.fence)];
    if (info.num_fences === 0) info.status = this.fence.status;
    else {
      if (info.num_fences < leaves.length) {
        throw new ErrnoError(
          'EINVAL',
          op,
          `Cannot tell of ${leaves.length} fences: there is room for ${info.num_fences}`,
        );
      }
      info.status = leaves.reduce((status, leaf) => (status <= 0 ? status : leaf.status), 1);
      for (const [i, leaf] of leaves.entries()) {
        const at = info.sync_fence_info + BigInt(i * syncFenceInfo.size);
        process.user.writeStruct(at, syncFenceInfo, describe(leaf), op);
      }
    }
    info.name = this.#displayName().slice(0, NAME_BYTES - 1);
    info.num_fences = leaves.length;
    process.user.writeStruct(argument, syncFileInfo, info, op);
    return 0;
  }

  /** Source: sync_file_get_name. */
  #displayName(): string {
    const { driverName, timelineName, context, seqno } = this.fence;
    return this.name === '' ? `${driverName}-${timelineName}${context}-${seqno}` : this.name;
  }
}

/** Source: sync_fill_fence_info. */
function describe(fence: FenceObject): ReturnType<typeof syncFenceInfo.decode> {
  return {
    obj_name: fence.timelineName,
    driver_name: fence.driverName,
    status: fence.status,
    flags: 0,
    timestamp_ns: BigInt(fence.timestampNs ?? 0),
  };
}

/** The fence of a descriptor; undefined when it is none of a sync file. Source: sync_file_get_fence. */
export function fenceOfDescriptor(process: Process, fd: number): FenceObject | undefined {
  if (!process.fds.has(fd)) return undefined;
  const file = process.fds.file(fd, 'sync_file_get_fence');
  return file instanceof SyncFileFile ? file.fence : undefined;
}
