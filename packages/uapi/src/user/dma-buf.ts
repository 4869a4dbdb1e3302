/** What a program does with a dma-buf. Source: include/uapi/linux/dma-buf.h, v6.12. */
import type { Task } from '@dmabuf-lab/core/base';
import {
  DMA_BUF_IOCTL_EXPORT_SYNC_FILE,
  DMA_BUF_IOCTL_IMPORT_SYNC_FILE,
  DMA_BUF_IOCTL_SYNC,
  DMA_BUF_SET_NAME_B,
  DMA_BUF_SYNC,
} from '../abi/dma-buf.js';
import { MAP, PROT, SEEK } from '../abi/fcntl.js';
import type { Process } from '../kernel/process.js';

/** What somebody is going to do with a buffer. */
export type DmaBufAccess = 'read' | 'write' | 'read-write';

const FLAGS: Readonly<Record<DmaBufAccess, number>> = {
  read: DMA_BUF_SYNC.READ,
  write: DMA_BUF_SYNC.WRITE,
  'read-write': DMA_BUF_SYNC.RW,
};

/** Its size in bytes, by lseek. @throws ErrnoError EBADF, EINVAL, ESPIPE */
export function dmaBufSize(process: Process, buffer: number): number {
  return process.seek(buffer, 0n, SEEK.END);
}

/** Begins CPU access: waits for the fences of others, and has caches looked after. @throws ErrnoError EINVAL, ENOTTY, EBADF */
export function* beginCpuAccess(process: Process, buffer: number, access: DmaBufAccess): Task<void> {
  yield* process.command(buffer, DMA_BUF_IOCTL_SYNC, { flags: BigInt(DMA_BUF_SYNC.START | FLAGS[access]) });
}

/** Ends CPU access; never waits. @throws ErrnoError EINVAL, ENOTTY, EBADF */
export function* endCpuAccess(process: Process, buffer: number, access: DmaBufAccess): Task<void> {
  yield* process.command(buffer, DMA_BUF_IOCTL_SYNC, { flags: BigInt(DMA_BUF_SYNC.END | FLAGS[access]) });
}

/** Names it, for fdinfo. @param name at most 31 characters @throws ErrnoError EINVAL, ENOTTY, EBADF */
export function* nameDmaBuf(process: Process, buffer: number, name: string): Task<void> {
  const address = process.user.put(Uint8Array.from([...Buffer.from(name), 0]));
  try {
    yield* process.ioctl(buffer, DMA_BUF_SET_NAME_B.number, address);
  } finally {
    process.user.drop(address);
  }
}

/**
 * The fences that somebody has to wait for before such an access, as a sync file: a snapshot.
 *
 * @returns a descriptor @throws ErrnoError EMFILE, ENOTTY, EBADF
 */
export function* exportSyncFile(process: Process, buffer: number, access: DmaBufAccess): Task<number> {
  const { fd } = yield* process.command(buffer, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, { flags: FLAGS[access] });
  return fd;
}

/** Adds the fences of a sync file to a buffer, as of such an access. @throws ErrnoError EINVAL when it is no sync file */
export function* importSyncFile(process: Process, buffer: number, syncFile: number, access: DmaBufAccess): Task<void> {
  yield* process.command(buffer, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, { flags: FLAGS[access], fd: syncFile });
}

/** Maps all of it, shared, for reading and writing. @returns the address, for `process.memory` */
export function mapDmaBuf(process: Process, buffer: number): number {
  const bytes = BigInt(dmaBufSize(process, buffer));
  return process.mmap(buffer, bytes, 0n, PROT.READ | PROT.WRITE, MAP.SHARED);
}
