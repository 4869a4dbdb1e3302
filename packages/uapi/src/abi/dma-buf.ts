/** Source: include/uapi/linux/dma-buf.h, v6.12. */
import { IOC, io, ioctlNumber, iow, iowr } from './ioctl.js';
import { s32, struct, u32, u64 } from './struct.js';

/** Flags of DMA_BUF_IOCTL_SYNC, EXPORT_SYNC_FILE and IMPORT_SYNC_FILE. */
export const DMA_BUF_SYNC = { READ: 1, WRITE: 2, RW: 3, START: 0, END: 4 } as const;

/** Longest name of a buffer, its NUL included. */
export const DMA_BUF_NAME_LEN = 32;

export const dmaBufSync = struct('dma_buf_sync', { flags: u64 });
export const dmaBufExportSyncFile = struct('dma_buf_export_sync_file', { flags: u32, fd: s32 });
export const dmaBufImportSyncFile = struct('dma_buf_import_sync_file', { flags: u32, fd: s32 });

export const DMA_BUF_IOCTL_SYNC = iow('DMA_BUF_IOCTL_SYNC', 'b', 0, dmaBufSync);
/** Its argument is the address of a string; the two encodings differ in the size of a pointer. */
export const DMA_BUF_SET_NAME_A = { ...io('DMA_BUF_SET_NAME_A', 'b', 1), number: ioctlNumber(IOC.write, 'b', 1, 4) };
export const DMA_BUF_SET_NAME_B = { ...io('DMA_BUF_SET_NAME_B', 'b', 1), number: ioctlNumber(IOC.write, 'b', 1, 8) };
export const DMA_BUF_IOCTL_EXPORT_SYNC_FILE = iowr('DMA_BUF_IOCTL_EXPORT_SYNC_FILE', 'b', 2, dmaBufExportSyncFile);
export const DMA_BUF_IOCTL_IMPORT_SYNC_FILE = iow('DMA_BUF_IOCTL_IMPORT_SYNC_FILE', 'b', 3, dmaBufImportSyncFile);
