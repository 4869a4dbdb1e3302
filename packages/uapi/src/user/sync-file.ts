/** What a program does with a sync file. Source: include/uapi/linux/sync_file.h, v6.12. */
import type { Task } from '@dmabuf-lab/core/base';
import type { SyncFileInfo } from '@dmabuf-lab/core/sync';
import { POLL } from '../abi/fcntl.js';
import { SYNC_IOC_FILE_INFO, SYNC_IOC_MERGE, syncFenceInfo } from '../abi/sync-file.js';
import type { Process } from '../kernel/process.js';

/** A sync file that is signalled when both are. @returns a descriptor @throws ErrnoError ENOENT, EBADF, ENOTTY, EMFILE */
export function* mergeSyncFiles(process: Process, name: string, one: number, other: number): Task<number> {
  const { fence } = yield* process.command(one, SYNC_IOC_MERGE, { name, fd2: other });
  return fence;
}

/** Waits until it is signalled. @param timeoutMs negative = for ever @returns whether it was */
export function* waitSyncFile(process: Process, syncFile: number, timeoutMs: number): Task<boolean> {
  const [events] = yield* process.poll([{ fd: syncFile, events: POLL.IN }], timeoutMs);
  return (events & POLL.IN) !== 0;
}

/** Its name, its status and its fences. @throws ErrnoError EBADF, ENOTTY */
export function* readSyncFile(process: Process, syncFile: number): Task<SyncFileInfo> {
  const { num_fences } = yield* process.command(syncFile, SYNC_IOC_FILE_INFO, {});
  const bytes = new Uint8Array(num_fences * syncFenceInfo.size);
  const address = process.user.put(bytes);
  try {
    const room = { num_fences, sync_fence_info: address };
    const { name, status } = yield* process.command(syncFile, SYNC_IOC_FILE_INFO, room);
    const fences = Array.from({ length: num_fences }, (_, i) => {
      const one = syncFenceInfo.decode(bytes.subarray(i * syncFenceInfo.size));
      const { driver_name: driverName, obj_name: timelineName, timestamp_ns } = one;
      return { driverName, timelineName, status: one.status, timestampNs: Number(timestamp_ns) };
    });
    return { name, status, fences };
  } finally {
    process.user.drop(address);
  }
}
