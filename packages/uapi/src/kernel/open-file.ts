/**
 * An open file description: what descriptors, mappings and kernel objects refer to.
 *
 * Source: struct file and struct file_operations, include/linux/fs.h, v6.12. An operation that a kind of file does not have
 * answers as the VFS does for it.
 */
import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
import { DEFAULT_POLL_MASK, O, PAGE_BYTES } from '../abi/fcntl.js';
import type { VmaRequest } from './address-space.js';
import type { Process } from './process.js';

/** What stat(2) and kcmp(2) see of a file. */
export interface Inode {
  readonly number: number;
  /** In bytes. */
  readonly sizeBytes: number;
  /** In units of 512 bytes. */
  readonly blocks: number;
  /** st_mode, type bits included. */
  mode: number;
  /** st_nlink; 1 when absent. */
  readonly links?: number;
  /** st_blksize; that of a page when absent. */
  readonly blockBytes?: number;
}

/** An ioctl on its way. */
export interface IoctlCall {
  readonly process: Process;
  /** 0 to 2^32 - 1. */
  readonly command: number;
  /** As passed: mostly an address. */
  readonly argument: bigint;
}

/** What a file without an inode of its own has: that of its kernel. Source: anon_inode_inode, fs/anon_inodes.c. */
export const ANON_INODE: Readonly<Inode> = Object.freeze({ number: 0, sizeBytes: 0, blocks: 0, mode: 0o600 });

export abstract class OpenFile {
  #references = 1;
  /** Status flags, without those of the descriptor. */
  flags: number;
  position = 0;
  /** What /proc/self/fd/N points to. */
  abstract readonly linkTarget: string;

  constructor(flags: number) {
    this.flags = flags & ~(O.CLOEXEC | O.CREAT | O.EXCL | O.TRUNC);
  }

  get inode(): Inode {
    return ANON_INODE;
  }

  /** f_count. */
  get references(): number {
    return this.#references;
  }

  /** Source: get_file. */
  hold(): this {
    this.#references += 1;
    return this;
  }

  /** Source: fput. */
  drop(): void {
    this.#references -= 1;
    if (this.#references === 0) this.release();
  }

  get readable(): boolean {
    const access = this.flags & O.ACCMODE;
    return access === O.RDONLY || access === O.RDWR;
  }

  get writable(): boolean {
    const access = this.flags & O.ACCMODE;
    return access === O.WRONLY || access === O.RDWR;
  }

  get nonblocking(): boolean {
    return (this.flags & O.NONBLOCK) !== 0;
  }

  /** Whether pread(2) and pwrite(2) are let through. Source: FMODE_PREAD, FMODE_PWRITE. */
  get positional(): boolean {
    return false;
  }

  /** The largest offset plus length that mmap lets through; undefined = any. Source: file_mmap_size_max. */
  get mapLimit(): bigint | undefined {
    return ULONG_MAX;
  }

  /** The last reference is gone. Source: file_operations.release. */
  protected release(): void {}

  /** The device behind it has been unbound: nothing waits for it any more. */
  get isGone(): boolean {
    return false;
  }

  /** Events that are there now. Called again after each change while a poll waits. */
  poll(_events: number): number {
    return DEFAULT_POLL_MASK;
  }

  /** @param at where to; undefined = at the position, which it moves */
  *read(_process: Process, _lengthBytes: number, _at: number | undefined): Task<Uint8Array> {
    throw new ErrnoError('EINVAL', 'read', 'Cannot read: files of this kind have no read');
  }

  *write(_process: Process, _bytes: Uint8Array, _at: number | undefined): Task<number> {
    throw new ErrnoError('EINVAL', 'write', 'Cannot write: files of this kind have no write');
  }

  /** @returns the new position */
  seek(_offset: bigint, _whence: number): number {
    throw new ErrnoError('ESPIPE', 'lseek', 'Cannot seek: files of this kind have no position');
  }

  /** Prepares a mapping: sets its pager, or another file. Source: file_operations.mmap. */
  mmap(_vma: VmaRequest): void {
    throw new ErrnoError('ENODEV', 'mmap', 'Cannot map: files of this kind cannot be mapped');
  }

  *ioctl(_call: IoctlCall): Task<number> {
    throw new ErrnoError('ENOTTY', 'ioctl', 'Cannot do an ioctl: files of this kind have none');
  }

  truncate(_lengthBytes: bigint): void {
    throw new ErrnoError('EINVAL', 'ftruncate', 'Cannot set the length: it is no regular file');
  }

  fallocate(_mode: number, _offset: bigint, _lengthBytes: bigint): void {
    throw new ErrnoError('ENODEV', 'fallocate', 'Cannot allocate: it is no regular file');
  }

  fsync(): void {
    throw new ErrnoError('EINVAL', 'fsync', 'Cannot sync: files of this kind have nothing to sync');
  }

  /** All files of the inode have the mode. @param mode permission bits; others are dropped */
  chmod(mode: number): void {
    const { inode } = this;
    inode.mode = (inode.mode & S_IFMT) | (mode & PERMISSIONS);
  }

  /** Opens /proc/self/fd/N. */
  reopen(_flags: number): OpenFile {
    throw new ErrnoError('ENXIO', 'open', 'Cannot open again: the file has no path');
  }

  /** Lines of /proc/self/fdinfo beyond the common ones. */
  fdinfo(): Readonly<Record<string, string | number>> {
    return {};
  }
}

const ULONG_MAX = 2n ** 64n - 1n;
const S_IFMT = 0o170000;
/** The bits of a mode that chmod(2) changes. */
export const PERMISSIONS = 0o7777;
const S_IFREG = 0o100000;

/** Whether it is a regular file. */
export const isRegular = ({ mode }: Inode): boolean => (mode & S_IFMT) === S_IFREG;

/** st_blocks of so many bytes, whole pages. */
export const blocksOf = (sizeBytes: number): number => Math.ceil(sizeBytes / PAGE_BYTES) * (PAGE_BYTES / 512);
