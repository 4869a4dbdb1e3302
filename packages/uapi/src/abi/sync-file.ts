/** Source: include/uapi/linux/sync_file.h, v6.12. */
import { iow, iowr } from './ioctl.js';
import { chars, s32, struct, u32, u64 } from './struct.js';

export const syncMergeData = struct('sync_merge_data', { name: chars(32), fd2: s32, fence: s32, flags: u32, pad: u32 });
export const syncFenceInfo = struct('sync_fence_info', {
  obj_name: chars(32),
  driver_name: chars(32),
  status: s32,
  flags: u32,
  timestamp_ns: u64,
});
export const syncFileInfo = struct('sync_file_info', {
  name: chars(32),
  status: s32,
  flags: u32,
  num_fences: u32,
  pad: u32,
  sync_fence_info: u64,
});
export const syncSetDeadline = struct('sync_set_deadline', { deadline_ns: u64, pad: u64 });

export const SYNC_IOC_MERGE = iowr('SYNC_IOC_MERGE', '>', 3, syncMergeData);
export const SYNC_IOC_FILE_INFO = iowr('SYNC_IOC_FILE_INFO', '>', 4, syncFileInfo);
export const SYNC_IOC_SET_DEADLINE = iow('SYNC_IOC_SET_DEADLINE', '>', 5, syncSetDeadline);
