/**
 * A process: its descriptors, its memory, and its system calls.
 *
 * System calls throw `ErrnoError` with the code that Linux would set. Those that can block are generators.
 */
import { ErrnoError, type Nanoseconds, type Park, type Task } from '@dmabuf-lab/core/base';
import { FALLOC, O, PAGE_BYTES, POLL, SEEK_MAX } from '../abi/fcntl.js';
import type { IoctlCommand } from '../abi/ioctl.js';
import { AddressSpace } from './address-space.js';
import { FdTable } from './fd-table.js';
import type { SimulatedKernel } from './kernel.js';
import { ANON_INODE, type Inode, isRegular, type OpenFile } from './open-file.js';
import { UserMemory } from './user-memory.js';

/** One descriptor to poll. */
export interface PollItem {
  /** Negative = left out. */
  readonly fd: number;
  readonly events: number;
}

/** The process was killed while a system call was waiting. */
export class ProcessKilled extends Error {
  override readonly name = 'ProcessKilled';
  constructor() {
    super('The process has been killed');
  }
}

const NS_PER_MS = 1_000_000;
/** The device of a call has been unbound. */
const GONE: unique symbol = Symbol('gone');
const NEW_FILE = O.CREAT | O.EXCL;

/** Ioctls that any file has. Source: do_vfs_ioctl, fs/ioctl.c, v6.12. */
const FIOCLEX = 0x5451;
const FIONCLEX = 0x5450;
const FIONBIO = 0x5421;
const FIONREAD = 0x541b;
const FIOASYNC = 0x5452;
const FIOQSIZE = 0x5460;
const FS_IOC_GETFLAGS = 0x8008_6601;
const FIGETBSZ = 2;
/** The unit of st_blocks. */
const STAT_BLOCK_BYTES = 512;

export class Process {
  readonly fds: FdTable;
  readonly memory: AddressSpace;
  readonly user = new UserMemory();
  /** It is killed then. */
  killedAtNs: Nanoseconds = Number.POSITIVE_INFINITY;
  /** Whose call is being stepped. */
  #callOn: OpenFile | undefined;

  /** @param openFiles most descriptors, RLIMIT_NOFILE */
  constructor(
    readonly kernel: SimulatedKernel,
    options: { readonly openFiles?: number } = {},
  ) {
    this.fds = new FdTable(options.openFiles, kernel.callSites);
    kernel.processes.add(this);
    this.memory = new AddressSpace((page) => {
      for (const watcher of kernel.pageWatchers) watcher.written(page);
    }, kernel.callSites);
  }

  /** Ends it: mappings and descriptors are gone, as at exit(2). */
  exit(): void {
    this.kernel.processes.delete(this);
    this.memory.unmapAll();
    this.fds.closeAll();
  }

  /** open(2) of a device node. @throws ErrnoError ENOENT, EMFILE, and what the device says */
  open(path: string, flags: number): number {
    this.fds.reserve();
    return this.install(this.kernel.openNode(path, flags), flags);
  }

  /** Gives a new file a descriptor; on failure the file is gone. */
  install(file: OpenFile, flags: number): number {
    try {
      return this.fds.install(file, (flags & O.CLOEXEC) !== 0);
    } catch (error) {
      file.drop();
      throw error;
    }
  }

  close(fd: number): void {
    this.fds.close(fd);
  }

  /** dup(2): close-on-exec is off. */
  dup(fd: number): number {
    return this.install(this.fds.file(fd, 'dup').hold(), 0);
  }

  /** Sends a descriptor to a process, which may be this one, as over a socket with MSG_CMSG_CLOEXEC. @returns its number there */
  pass(fd: number, to: Process): number {
    return to.install(this.fds.file(fd, 'sendmsg').hold(), O.CLOEXEC);
  }

  /** Opens /proc/self/fd/N. @throws ErrnoError ENOENT, EMFILE, EEXIST, and what the file says */
  reopen(fd: number, flags: number): number {
    if (!this.fds.has(fd))
      throw new ErrnoError('ENOENT', 'open', `Cannot open /proc/self/fd/${fd}: there is no such file`);
    const file = this.fds.file(fd, 'open');
    this.fds.reserve();
    if ((flags & NEW_FILE) === NEW_FILE) {
      throw new ErrnoError('EEXIST', 'open', `Cannot create /proc/self/fd/${fd}: it exists`);
    }
    return this.install(file.reopen(flags), flags);
  }

  setNonblocking(fd: number, on: boolean): void {
    const file = this.fds.file(fd, 'fcntl');
    file.flags = on ? file.flags | O.NONBLOCK : file.flags & ~O.NONBLOCK;
  }

  /** lseek(2). @returns the position */
  seek(fd: number, offset: bigint, whence: number): number {
    const file = this.fds.file(fd, 'lseek');
    if (whence < 0 || whence > SEEK_MAX) {
      throw new ErrnoError('EINVAL', 'lseek', `Cannot seek: there is no whence ${whence}`);
    }
    return file.seek(offset, whence);
  }

  /** read(2), or pread(2) with an offset. */
  *read(fd: number, lengthBytes: number, offset?: bigint): Task<Uint8Array> {
    checkSign(offset, 'read');
    const file = this.fds.file(fd, 'read');
    const at = checkedOffset(file, offset, 'read');
    if (!file.readable)
      throw new ErrnoError('EBADF', 'read', `Cannot read descriptor ${fd}: it is open for writing only`);
    return yield* this.#holding(file, file.read(this, lengthBytes, at));
  }

  /** write(2), or pwrite(2) with an offset. @returns bytes written */
  *write(fd: number, bytes: Uint8Array, offset?: bigint): Task<number> {
    checkSign(offset, 'write');
    const file = this.fds.file(fd, 'write');
    const at = checkedOffset(file, offset, 'write');
    if (!file.writable)
      throw new ErrnoError('EBADF', 'write', `Cannot write descriptor ${fd}: it is open for reading only`);
    return yield* this.#holding(file, file.write(this, bytes, at));
  }

  truncate(fd: number, lengthBytes: bigint): void {
    if (lengthBytes < 0n) throw new ErrnoError('EINVAL', 'ftruncate', `Cannot set the length to ${lengthBytes}`);
    const file = this.fds.file(fd, 'ftruncate');
    file.truncate(lengthBytes);
  }

  /** fallocate(2). Source: vfs_fallocate. */
  fallocate(fd: number, mode: number, offset: bigint, lengthBytes: bigint): void {
    const file = this.fds.file(fd, 'fallocate');
    const refuse = (code: 'EINVAL' | 'EOPNOTSUPP' | 'EBADF', why: string): ErrnoError =>
      new ErrnoError(code, 'fallocate', `Cannot allocate: ${why}`);
    if (offset < 0n || lengthBytes <= 0n) throw refuse('EINVAL', `there is no range ${offset}+${lengthBytes}`);
    if (!isFallocateMode(mode)) throw refuse('EOPNOTSUPP', `mode ${mode}`);
    if (!file.writable) throw refuse('EBADF', 'the file is open for reading only');
    file.fallocate(mode, offset, lengthBytes);
  }

  fsync(fd: number): void {
    this.fds.file(fd, 'fsync').fsync();
  }

  /** fstat(2). @throws ErrnoError EBADF */
  stat(fd: number): Inode {
    const { inode } = this.fds.file(fd, 'fstat');
    return inode === ANON_INODE ? this.kernel.anonymousInode : inode;
  }

  chmod(fd: number, mode: number): void {
    const file = this.fds.file(fd, 'fchmod');
    if (file.inode === ANON_INODE) this.kernel.chmodAnonymous(mode);
    else file.chmod(mode);
  }

  /**
   * poll(2).
   *
   * @param timeoutMs negative = for ever, 0 = only look
   * @returns events of each item
   */
  *poll(items: readonly PollItem[], timeoutMs: number): Task<number[]> {
    const files = items.map(({ fd }) => (this.fds.has(fd) ? this.fds.file(fd, 'poll').hold() : undefined));
    const look = (): number[] => items.map((item, i) => pollOne(item, files[i]));
    try {
      const now = look();
      if (timeoutMs === 0 || now.some((events) => events !== 0)) return now;
      const untilNs = timeoutMs < 0 ? Number.POSITIVE_INFINITY : this.kernel.now() + timeoutMs * NS_PER_MS;
      const ready = yield* this.wait(
        () => {
          const events = look();
          return events.some((event) => event !== 0) ? events : undefined;
        },
        untilNs,
        'poll',
      );
      return ready ?? items.map(() => 0);
    } finally {
      for (const file of files) file?.drop();
    }
  }

  /** ioctl(2). @param argument mostly an address @returns what the call returns */
  *ioctl(fd: number, command: number, argument: bigint): Task<number> {
    const file = this.fds.file(fd, 'ioctl');
    if (this.#commonIoctl(fd, command, argument)) return 0;
    return yield* this.#holding(file, file.ioctl({ process: this, command, argument }));
  }

  /** An ioctl that does not depend on the kind of file. Source: do_vfs_ioctl. @returns whether it was one */
  #commonIoctl(fd: number, command: number, argument: bigint): boolean {
    switch (command) {
      case FIOCLEX:
      case FIONCLEX:
        this.fds.setClosesOnExec(fd, command === FIOCLEX);
        return true;
      case FIGETBSZ:
        this.user.write(argument, int32(PAGE_BYTES), 'ioctl');
        return true;
      case FIONBIO:
        this.setNonblocking(
          fd,
          this.user.read(argument, 4, 'ioctl').some((byte) => byte !== 0),
        );
        return true;
      case FIOASYNC:
        if (this.user.read(argument, 4, 'ioctl').every((byte) => byte === 0)) return true;
        throw new ErrnoError('ENOTTY', 'ioctl', 'Cannot signal input: files of this kind do not');
      default:
        return this.#regularIoctl(this.fds.file(fd, 'ioctl'), command, argument);
    }
  }

  /** An ioctl of files in memory. Source: file_ioctl, ioctl_fioqsize, shmem_fileattr_get. @returns whether it was one */
  #regularIoctl({ inode, position }: OpenFile, command: number, argument: bigint): boolean {
    const isOne = isRegular(inode);
    if (command === FIOQSIZE && !isOne) throw new ErrnoError('ENOTTY', 'ioctl', 'Cannot tell the size: it has none');
    if (!isOne) return false;
    switch (command) {
      case FIONREAD:
        this.user.write(argument, int32(inode.sizeBytes - position), 'ioctl');
        return true;
      case FIOQSIZE:
        this.user.write(argument, int64(inode.blocks * STAT_BLOCK_BYTES), 'ioctl');
        return true;
      case FS_IOC_GETFLAGS:
        this.user.write(argument, int32(0), 'ioctl');
        return true;
      default:
        return false;
    }
  }

  /**
   * ioctl(2) with a structure.
   *
   * @returns what the kernel has written into the structure
   */
  *command<T>(fd: number, { number, struct }: IoctlCommand<T>, value: Partial<T>): Task<T> {
    if (struct === undefined) throw new TypeError('the command has no structure');
    const bytes = struct.encode(value);
    const address = this.user.put(bytes);
    try {
      yield* this.ioctl(fd, number, address);
      return struct.decode(bytes);
    } finally {
      this.user.drop(address);
    }
  }

  /** mmap(2). @returns the address */
  mmap(fd: number, lengthBytes: bigint, offset: bigint, prot: number, flags: number): number {
    if (offset % BigInt(PAGE_BYTES) !== 0n) {
      throw new ErrnoError('EINVAL', 'mmap', `Cannot map: the offset ${offset} is not whole pages`);
    }
    return this.memory.map(this.fds.file(fd, 'mmap'), lengthBytes, offset, prot, flags);
  }

  /**
   * Waits as a system call does: until a look has a result, a time, the end of the process, or that of the device of the call.
   *
   * @throws ProcessKilled; ErrnoError ENODEV when the device is unbound
   */
  *wait<T>(look: () => T | undefined, untilNs: Nanoseconds, what: string): Task<T | undefined> {
    const file = this.#callOn;
    const result = yield* this.kernel.wait(
      () => (file?.isGone ? GONE : look()),
      Math.min(untilNs, this.killedAtNs),
      what,
    );
    // What another call lets go of because it is killed too comes too late.
    if (this.kernel.now() >= this.killedAtNs) throw new ProcessKilled();
    if (result === GONE) throw new ErrnoError('ENODEV', 'wait', `Cannot wait for ${what}: the device has been unbound`);
    return result;
  }

  /** A call that blocks keeps its file, even if the descriptor is closed meanwhile; and its waits know whose they are. */
  *#holding<T>(file: OpenFile, call: Task<T>): Task<T> {
    file.hold();
    try {
      for (let resume = (): IteratorResult<Park, T> => call.next(); ; ) {
        const step = this.#inCallOn(file, resume);
        if (step.done) return step.value;
        try {
          const sent: unknown = yield step.value;
          resume = () => call.next(sent);
        } catch (error) {
          resume = () => call.throw(error);
        }
      }
    } finally {
      file.drop();
    }
  }

  #inCallOn<T>(file: OpenFile, act: () => T): T {
    const outer = this.#callOn;
    this.#callOn = file;
    try {
      return act();
    } finally {
      this.#callOn = outer;
    }
  }
}

function pollOne({ fd, events }: PollItem, file: OpenFile | undefined): number {
  if (fd < 0) return 0;
  if (file === undefined) return POLL.NVAL;
  const wanted = events | POLL.ERR | POLL.HUP;
  return file.poll(wanted) & wanted;
}

/** One way of allocating, and with some of them a size that is kept or may not be kept. */
function isFallocateMode(mode: number): boolean {
  const keepsSize = (mode & FALLOC.KEEP_SIZE) !== 0;
  switch (mode & ~FALLOC.KEEP_SIZE) {
    case 0:
    case FALLOC.UNSHARE_RANGE:
    case FALLOC.ZERO_RANGE:
      return true;
    case FALLOC.PUNCH_HOLE:
      return keepsSize;
    case FALLOC.COLLAPSE_RANGE:
    case FALLOC.INSERT_RANGE:
      return !keepsSize;
    default:
      return false;
  }
}

function int32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, true);
  return bytes;
}

function int64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, BigInt(value), true);
  return bytes;
}

/** Looked at before the descriptor is. Source: ksys_pread64. @throws ErrnoError EINVAL */
function checkSign(offset: bigint | undefined, op: string): void {
  if (offset !== undefined && offset < 0n) throw new ErrnoError('EINVAL', op, `Cannot ${op} at ${offset}`);
}

function checkedOffset(file: OpenFile, offset: bigint | undefined, op: string): number | undefined {
  if (offset === undefined) return undefined;
  if (!file.positional) throw new ErrnoError('ESPIPE', op, `Cannot ${op} at a place: the file has no position`);
  return Number(offset);
}
