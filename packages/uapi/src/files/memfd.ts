/** memfd_create(2): a file in memory, with seals. Source: mm/memfd.c and mm/shmem.c, v6.12. */
import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
import { F_SEAL, FALLOC, MFD, O, PAGE_BYTES, PROT, SEEK } from '../abi/fcntl.js';
import type { VmaRequest } from '../kernel/address-space.js';
import type { SimulatedKernel } from '../kernel/kernel.js';
import { type Inode, OpenFile } from '../kernel/open-file.js';
import { pagesFor } from '../kernel/pages.js';
import type { Process } from '../kernel/process.js';
import { HUGE_PAGE_BYTES, HugeMemoryFile, MemoryFile, sealed } from './memory-file.js';

const ALL_SEALS = F_SEAL.SEAL | F_SEAL.SHRINK | F_SEAL.GROW | F_SEAL.WRITE | F_SEAL.FUTURE_WRITE | F_SEAL.EXEC;
const WRITE_SEALS = F_SEAL.WRITE | F_SEAL.FUTURE_WRITE;
const KNOWN_FLAGS = MFD.CLOEXEC | MFD.ALLOW_SEALING | MFD.NOEXEC_SEAL | MFD.EXEC;
/** The exponent of the size of huge pages stands in the high bits. Source: MFD_HUGE_SHIFT. */
const HUGE_SHIFT = 26;
const HUGE_FLAGS = KNOWN_FLAGS | MFD.HUGETLB | (0x3f << HUGE_SHIFT);
const S_IFREG = 0o100000;
const MAX_FILE_BYTES = 2 ** 53 - PAGE_BYTES;

export class MemfdFile extends OpenFile {
  constructor(
    readonly content: MemoryFile,
    readonly linkTarget: string,
    flags: number,
  ) {
    super(flags | O.LARGEFILE);
    content.opened();
  }

  /** @param flags MFD_* @throws ErrnoError EINVAL, ENODEV */
  static create(kernel: SimulatedKernel, name: string, flags: number): MemfdFile {
    const noExec = (flags & MFD.NOEXEC_SEAL) !== 0;
    const isHuge = (flags & MFD.HUGETLB) !== 0;
    if ((flags & ~(isHuge ? HUGE_FLAGS : KNOWN_FLAGS)) !== 0 || (noExec && (flags & MFD.EXEC) !== 0)) {
      throw new ErrnoError('EINVAL', 'memfd_create', `Cannot create a memfd: flags 0x${flags.toString(16)}`);
    }
    const options = { sealable: noExec || (flags & MFD.ALLOW_SEALING) !== 0, executable: !noExec };
    const link = `/memfd:${name} (deleted)`;
    if (!isHuge) return new MemfdFile(new MemoryFile(kernel, kernel.nextInode(), options), link, O.RDWR);
    const exponent = flags >>> HUGE_SHIFT;
    if (exponent !== 0 && 2 ** exponent !== HUGE_PAGE_BYTES) {
      throw new ErrnoError('ENODEV', 'memfd_create', `Cannot create a memfd: no pages of 2^${exponent} bytes`);
    }
    return new HugeMemfdFile(new HugeMemoryFile(kernel, kernel.nextInode(), options), link, O.RDWR);
  }

  override get inode(): Inode {
    const { number, sizeBytes, pageCount, mode } = this.content;
    return { number, sizeBytes, blocks: pageCount * (PAGE_BYTES / 512), mode: S_IFREG | mode, links: this.links };
  }

  /** Names that it has. */
  protected get links(): number {
    return 0;
  }

  override get positional(): boolean {
    return true;
  }

  /** Source: MAX_LFS_FILESIZE. */
  override get mapLimit(): bigint {
    return 2n ** 63n - 1n;
  }

  protected override release(): void {
    this.content.closed();
  }

  /** @throws ErrnoError EPERM, EINVAL, EBUSY */
  addSeals(seals: number): void {
    const { content } = this;
    if ((seals & ~ALL_SEALS) !== 0) throw new ErrnoError('EINVAL', 'fcntl', `Cannot add seals 0x${seals.toString(16)}`);
    if (content.isSealed(F_SEAL.SEAL)) throw sealed('fcntl', 'further seals');
    const isExecutable = (seals & F_SEAL.EXEC) !== 0 && (content.mode & 0o111) !== 0;
    const all = seals | (isExecutable ? F_SEAL.SHRINK | F_SEAL.GROW | WRITE_SEALS : 0);
    if ((all & F_SEAL.WRITE) !== 0 && !content.isSealed(F_SEAL.WRITE)) {
      if (content.writableMappings > 0) {
        throw new ErrnoError('EBUSY', 'fcntl', 'Cannot seal against writing: a mapping can write');
      }
      if (content.isPinned) throw new ErrnoError('EBUSY', 'fcntl', 'Cannot seal against writing: pages are pinned');
    }
    content.seals |= all;
  }

  override seek(offset: bigint, whence: number): number {
    const position =
      whence === SEEK.DATA || whence === SEEK.HOLE
        ? this.seekContent(Number(offset), whence)
        : Number(offset) + (whence === SEEK.CUR ? this.position : whence === SEEK.END ? this.content.sizeBytes : 0);
    if (position < 0 || position > MAX_FILE_BYTES)
      throw new ErrnoError('EINVAL', 'lseek', `Cannot seek to ${position}`);
    this.position = position;
    return position;
  }

  /** Source: SEEK_DATA and SEEK_HOLE of shmem_file_llseek. @throws ErrnoError ENXIO */
  protected seekContent(offset: number, whence: number): number {
    const { sizeBytes } = this.content;
    if (offset < 0 || offset >= sizeBytes) throw beyondEnd(offset);
    for (let index = Math.floor(offset / PAGE_BYTES); index < pagesFor(sizeBytes); index += 1) {
      const isData = this.content.present(index) !== undefined;
      if (isData === (whence === SEEK.DATA)) return Math.max(offset, index * PAGE_BYTES);
    }
    if (whence === SEEK.HOLE) return sizeBytes;
    throw new ErrnoError('ENXIO', 'lseek', `Cannot seek from ${offset}: no data follows`);
  }

  override *read(_process: Process, lengthBytes: number, at?: number): Task<Uint8Array> {
    const start = at ?? this.position;
    const length = Math.max(0, Math.min(lengthBytes, this.content.sizeBytes - start));
    const bytes = new Uint8Array(length);
    eachPage(start, length, (index, from, count, done) => {
      const page = this.content.present(index);
      if (page !== undefined) bytes.set(page.bytes.subarray(from, from + count), done);
    });
    if (at === undefined) this.position = start + length;
    return bytes;
  }

  /** Source: generic_write_checks. */
  override *write(_process: Process, bytes: Uint8Array, at?: number): Task<number> {
    const { content } = this;
    if (bytes.length === 0) return 0;
    const start = (this.flags & O.APPEND) === 0 ? (at ?? this.position) : content.sizeBytes;
    const end = start + bytes.length;
    if (content.isSealed(WRITE_SEALS)) throw sealed('write', 'writing');
    if (end > content.sizeBytes) {
      if (content.isSealed(F_SEAL.GROW)) throw sealed('write', 'growing');
      content.sizeBytes = end;
    }
    eachPage(start, bytes.length, (index, from, count, done) => {
      content.page(index)?.bytes.set(bytes.subarray(done, done + count), from);
    });
    if (at === undefined) this.position = end;
    return bytes.length;
  }

  override truncate(lengthBytes: bigint): void {
    if (!this.writable) {
      throw new ErrnoError('EINVAL', 'ftruncate', 'Cannot set the length: the file is open for reading only');
    }
    if (lengthBytes > BigInt(MAX_FILE_BYTES)) {
      throw new ErrnoError('EFBIG', 'ftruncate', `Cannot set the length to ${lengthBytes}`);
    }
    this.content.resize(Number(lengthBytes));
  }

  override fallocate(mode: number, offset: bigint, lengthBytes: bigint): void {
    const { content } = this;
    const keepsSize = (mode & FALLOC.KEEP_SIZE) !== 0;
    const punches = (mode & FALLOC.PUNCH_HOLE) !== 0;
    if ((mode & ~(FALLOC.KEEP_SIZE | FALLOC.PUNCH_HOLE)) !== 0) {
      throw new ErrnoError('EOPNOTSUPP', 'fallocate', `Cannot allocate: mode ${mode}`);
    }
    const start = Number(offset);
    const end = start + Number(lengthBytes);
    if (punches) {
      if (content.isSealed(WRITE_SEALS)) throw sealed('fallocate', 'writing');
      content.zero(start, end);
      return;
    }
    if (end > content.sizeBytes) {
      if (content.isSealed(F_SEAL.GROW)) throw sealed('fallocate', 'growing');
      if (!keepsSize) content.resize(end);
    }
    for (let index = Math.floor(start / PAGE_BYTES); index < pagesFor(end); index += 1) content.allocate(index);
  }

  override fsync(): void {}

  override chmod(mode: number): void {
    const { content } = this;
    if (content.isSealed(F_SEAL.EXEC) && ((content.mode ^ mode) & 0o111) !== 0) throw sealed('fchmod', 'exec changes');
    content.mode = mode & 0o7777;
  }

  override mmap(vma: VmaRequest): void {
    const { content } = this;
    if (vma.shared && content.isSealed(WRITE_SEALS)) {
      if ((vma.prot & PROT.WRITE) !== 0) throw sealed('mmap', 'writing');
      vma.mayWrite = false;
    }
    vma.pager = { page: (index) => content.page(index)?.bytes };
    if (!vma.shared || !vma.mayWrite) return;
    content.writableMappings += 1;
    vma.onOpen = () => {
      content.writableMappings += 1;
    };
    vma.onClose = () => {
      content.writableMappings -= 1;
    };
  }

  /** Source: handle_truncate. @throws ErrnoError EPERM */
  override reopen(flags: number): OpenFile {
    if ((flags & O.TRUNC) !== 0) this.content.resize(0);
    return this.another(flags);
  }

  /** One more open file of the same content. */
  protected another(flags: number): MemfdFile {
    return new MemfdFile(this.content, this.linkTarget, flags);
  }
}

/** Of huge pages, of which this machine has none to give. Source: fs/hugetlbfs/inode.c, v6.12. */
class HugeMemfdFile extends MemfdFile {
  override get inode(): Inode {
    return { ...super.inode, blockBytes: HUGE_PAGE_BYTES };
  }

  /** All of it counts as data. Source: generic_file_llseek. */
  protected override seekContent(offset: number, whence: number): number {
    const { sizeBytes } = this.content;
    if (offset < 0 || offset >= sizeBytes) throw beyondEnd(offset);
    return whence === SEEK.DATA ? offset : sizeBytes;
  }

  override fallocate(mode: number, offset: bigint, lengthBytes: bigint): void {
    try {
      super.fallocate(mode, offset, lengthBytes);
    } catch (error) {
      if ((error as ErrnoError).code !== 'ENOMEM') throw error;
      throw new ErrnoError('ENOSPC', 'fallocate', 'Cannot allocate: there are no huge pages');
    }
  }

  override write(): Task<number> {
    throw new ErrnoError('EINVAL', 'write', 'Cannot write: files of huge pages have no write');
  }

  override truncate(lengthBytes: bigint): void {
    if (lengthBytes % BigInt(HUGE_PAGE_BYTES) !== 0n) {
      throw new ErrnoError(
        'EINVAL',
        'ftruncate',
        `Cannot set the length to ${lengthBytes}: it is not whole huge pages`,
      );
    }
    super.truncate(lengthBytes);
  }

  override mmap(vma: VmaRequest): void {
    if (vma.shared && (vma.prot & PROT.WRITE) !== 0 && this.content.isSealed(WRITE_SEALS)) {
      throw sealed('mmap', 'writing');
    }
    if ((vma.first * PAGE_BYTES) % HUGE_PAGE_BYTES !== 0) {
      throw new ErrnoError('EINVAL', 'mmap', 'Cannot map: the offset is not whole huge pages');
    }
    throw new ErrnoError('ENOMEM', 'mmap', 'Cannot map: there are no huge pages');
  }

  protected override another(flags: number): MemfdFile {
    return new HugeMemfdFile(this.content, this.linkTarget, flags);
  }
}

const beyondEnd = (offset: number): ErrnoError =>
  new ErrnoError('ENXIO', 'lseek', `Cannot seek from ${offset}: beyond the end`);

/** Source: memfd_add_seals. @throws ErrnoError EPERM, EINVAL, EBUSY */
export function addSealsTo(file: OpenFile, seals: number): void {
  if (!file.writable) throw new ErrnoError('EPERM', 'fcntl', 'Cannot add seals: the file is open for reading only');
  if (!(file instanceof MemfdFile)) throw new ErrnoError('EINVAL', 'fcntl', 'Cannot add seals: it is no memfd');
  file.addSeals(seals);
}

/** Cuts a range into parts of pages. */
function eachPage(
  start: number,
  length: number,
  use: (index: number, from: number, count: number, done: number) => void,
): void {
  for (let done = 0; done < length; ) {
    const from = (start + done) % PAGE_BYTES;
    const count = Math.min(PAGE_BYTES - from, length - done);
    use(Math.floor((start + done) / PAGE_BYTES), from, count, done);
    done += count;
  }
}
