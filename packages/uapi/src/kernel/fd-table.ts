/**
 * The descriptors of a process.
 *
 * Source: struct files_struct, fs/file.c, v6.12: the lowest free number is taken, up to RLIMIT_NOFILE.
 */
import { type CallSites, ErrnoError } from '@dmabuf-lab/core/base';
import type { OpenFile } from './open-file.js';

interface Entry {
  readonly file: OpenFile;
  closeOnExec: boolean;
  /** The line of the program that has made it, where that is wanted. */
  readonly site: string | undefined;
}

/** The soft limit that a process starts with. Source: INR_OPEN_CUR, include/uapi/linux/fs.h. */
export const OPEN_FILES_LIMIT = 1024;

export class FdTable {
  readonly #entries = new Map<number, Entry>();

  /** @param sites tells by whom descriptors are made; absent = nobody wants to know */
  constructor(
    public limit: number = OPEN_FILES_LIMIT,
    private readonly sites?: CallSites,
  ) {}

  /** Descriptors in rising order. */
  get numbers(): number[] {
    return [...this.#entries.keys()].sort((a, b) => a - b);
  }

  has(fd: number): boolean {
    return this.#entries.has(fd);
  }

  /** @throws ErrnoError EBADF */
  file(fd: number, op: string): OpenFile {
    return this.#entry(fd, op).file;
  }

  /** The line of the program that has made a descriptor; undefined when it is not known. @throws ErrnoError EBADF */
  siteOf(fd: number): string | undefined {
    return this.#entry(fd, 'exit').site;
  }

  setClosesOnExec(fd: number, on: boolean): void {
    this.#entry(fd, 'ioctl').closeOnExec = on;
  }

  closesOnExec(fd: number): boolean {
    return this.#entry(fd, 'fcntl').closeOnExec;
  }

  /** Gives a file a number, and takes over the reference. @throws ErrnoError EMFILE; the reference is then still the caller's */
  install(file: OpenFile, closeOnExec: boolean, from = 0): number {
    let fd = from;
    while (this.#entries.has(fd)) fd += 1;
    if (fd >= this.limit) {
      throw new ErrnoError('EMFILE', 'get_unused_fd_flags', `Cannot open a descriptor: all ${this.limit} are in use`);
    }
    this.#entries.set(fd, { file, closeOnExec, site: this.sites?.here() });
    return fd;
  }

  /** Whether there is a free number. Source: get_unused_fd_flags. @throws ErrnoError EMFILE */
  reserve(): void {
    let fd = 0;
    while (this.#entries.has(fd)) fd += 1;
    if (fd >= this.limit) {
      throw new ErrnoError('EMFILE', 'get_unused_fd_flags', `Cannot open a descriptor: all ${this.limit} are in use`);
    }
  }

  /** Gives a descriptor another number; references stay as they are. */
  move(fd: number, to: number): void {
    const entry = this.#entry(fd, 'dup3');
    this.#entries.delete(fd);
    this.#entries.set(to, entry);
  }

  /** @throws ErrnoError EBADF */
  close(fd: number): void {
    const { file } = this.#entry(fd, 'close');
    this.#entries.delete(fd);
    file.drop();
  }

  closeAll(): void {
    for (const fd of this.numbers) this.close(fd);
  }

  #entry(fd: number, op: string): Entry {
    const entry = this.#entries.get(fd);
    if (entry === undefined) throw new ErrnoError('EBADF', op, `Cannot use descriptor ${fd}: it is not open`, { fd });
    return entry;
  }
}
