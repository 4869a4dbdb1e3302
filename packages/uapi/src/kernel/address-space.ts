/**
 * Mappings of a process, and what its loads and stores do to them.
 *
 * Source: do_mmap, __split_vma, mprotect_fixup and vma_to_resize in mm/, v6.12; x86-64, where memory that can be written can
 * be read.
 */
import { type CallSites, ErrnoError } from '@dmabuf-lab/core/base';
import { MAP, PAGE_BYTES, PROT } from '../abi/fcntl.js';
import type { OpenFile } from './open-file.js';
import { type Page, pagesFor } from './pages.js';

/** A process touched what it may not touch. */
export class SignalError extends Error {
  override readonly name = 'SignalError';
  constructor(readonly signal: 'SIGSEGV' | 'SIGBUS') {
    super(`${signal}: the access faults`);
  }
}

/** Finds the pages behind a mapping. */
export interface Pager {
  /**
   * @param index of the page in the file
   * @param sinceStart pages from the start of the mapping, or of what is left of it
   * @returns undefined where there is none: SIGBUS
   */
  page(index: number, write: boolean, sinceStart: number): Page | undefined;
}

/** Sees what the CPU does with the pages of a mapping, and may do it in their place: a cache. */
export interface CpuPort {
  /** @returns the bytes; undefined = those of the page */
  load(page: Page, offset: number, lengthBytes: number): Uint8Array | undefined;
  /** @returns whether it has been done; else the page is written */
  store(page: Page, offset: number, bytes: Uint8Array): boolean;
}

/** A mapping that a file prepares. Source: struct vm_area_struct. */
export interface VmaRequest {
  /** Pages. */
  readonly count: number;
  /** First page, in the file. */
  readonly first: number;
  readonly prot: number;
  readonly shared: boolean;
  /** May mprotect make it writable. Source: VM_MAYWRITE. */
  mayWrite: boolean;
  pager?: Pager;
  /** Told of loads and stores of shared pages. */
  port?: CpuPort;
  /** The file that the mapping keeps, where it is not the one that was mapped. Source: vma_set_file. */
  file: OpenFile;
  /** It cannot grow. Source: VM_DONTEXPAND, VM_PFNMAP. */
  fixedLength: boolean;
  /** What a fault has found stays, whatever the pager would say later. Source: page tables of a VM_PFNMAP mapping. */
  keepsFaults?: boolean;
  /** The mapping, or a part of it, is gone. */
  onClose?: () => void;
  /** It has become two. */
  onOpen?: () => void;
}

/** A page that is touched; with a port where it is the file's own. */
interface FoundPage {
  readonly page: Page;
  readonly port?: CpuPort;
}

interface Vma extends VmaRequest {
  count: number;
  first: number;
  prot: number;
  /** Page number in the address space. */
  start: number;
  /** The line of the program that has made it, where that is wanted. */
  readonly site: string | undefined;
  /** Pages of a private mapping that have been written, and those that stay once they are found. */
  readonly copies: Map<number, Page>;
}

/** Mappings lie below this, in pages: above it are the stack and the program. Source: mmap_base. */
const TOP_PAGE = 0x7e00_0000_0000 / PAGE_BYTES;

export class AddressSpace {
  #vmas: Vma[] = [];

  /**
   * @param written told of each page that a store has reached
   * @param sites tells by whom mappings are made; absent = nobody wants to know
   */
  constructor(
    private readonly written: (page: Page) => void = () => {},
    private readonly sites?: CallSites,
  ) {}

  /** Those that are there, with the line of the program that has made them. */
  get mappings(): readonly { readonly file: OpenFile; readonly address: number; readonly site: string | undefined }[] {
    return this.#vmas.map(({ file, start, site }) => ({ file, address: start * PAGE_BYTES, site }));
  }

  /** Maps a file. The checks of do_mmap that concern the file are here too. @returns the address */
  map(file: OpenFile, lengthBytes: bigint, offset: bigint, prot: number, flags: number): number {
    if (lengthBytes === 0n) throw refusal('EINVAL', 'the length is 0');
    const pages = (BigInt.asUintN(64, lengthBytes) + BigInt(PAGE_BYTES - 1)) / BigInt(PAGE_BYTES);
    const first = BigInt.asUintN(64, offset) / BigInt(PAGE_BYTES);
    if (pages >= 2n ** 52n) throw refusal('ENOMEM', 'it is longer than any address space');
    if (first + pages > 2n ** 52n) throw refusal('EOVERFLOW', 'offset and length overflow');
    const start = this.#findGap(Number(pages));
    checkLimit(file, pages, first);
    const shared = isShared(flags);
    if (shared && (prot & PROT.WRITE) !== 0 && !file.writable)
      throw refusal('EACCES', 'the file is not open for writing');
    if (!file.readable) throw refusal('EACCES', 'the file is not open for reading');
    const vma: Vma = {
      start,
      count: Number(pages),
      first: Number(first),
      prot,
      shared,
      mayWrite: !shared || file.writable,
      file: file.hold(),
      fixedLength: false,
      site: this.sites?.here(),
      copies: new Map(),
    };
    try {
      file.mmap(vma);
    } catch (error) {
      file.drop();
      throw error;
    }
    this.#vmas.push(vma);
    if ((flags & MAP.POPULATE) !== 0) this.#populate(vma);
    return vma.start * PAGE_BYTES;
  }

  /** Touches all pages, for writing where that makes copies; what cannot be touched ends it. Source: __mm_populate. */
  #populate({ start, count, prot, shared, fixedLength }: Vma): void {
    if (fixedLength || prot === 0) return;
    const write = !shared && (prot & PROT.WRITE) !== 0;
    try {
      for (let page = start; page < start + count; page += 1) this.#fault(page, write);
    } catch (error) {
      if (!(error instanceof SignalError)) throw error;
    }
  }

  /** Source: do_munmap. @throws ErrnoError EINVAL */
  unmap(address: number, lengthBytes: number): void {
    if (address % PAGE_BYTES !== 0 || lengthBytes <= 0) throw refusal('EINVAL', 'not whole pages', 'munmap');
    const start = address / PAGE_BYTES;
    const end = start + pagesFor(lengthBytes);
    this.#splitAt(start);
    this.#splitAt(end);
    const gone = this.#vmas.filter((vma) => vma.start >= start && vma.start + vma.count <= end);
    this.#vmas = this.#vmas.filter((vma) => !gone.includes(vma));
    for (const vma of gone) close(vma);
  }

  /** Source: mprotect_fixup. @throws ErrnoError EACCES, ENOMEM, EINVAL */
  protect(address: number, lengthBytes: number, prot: number): void {
    if (address % PAGE_BYTES !== 0) throw refusal('EINVAL', 'not whole pages', 'mprotect');
    const start = address / PAGE_BYTES;
    const end = start + pagesFor(lengthBytes);
    for (let page = start; page < end; page += 1) {
      const vma = this.#vmaOf(page);
      if (vma === undefined) throw refusal('ENOMEM', 'a page is not mapped', 'mprotect');
      if ((prot & PROT.WRITE) !== 0 && !vma.mayWrite) {
        throw refusal('EACCES', 'the file is not open for writing', 'mprotect');
      }
    }
    this.#splitAt(start);
    this.#splitAt(end);
    for (const vma of this.#vmas) if (vma.start >= start && vma.start < end) vma.prot = prot;
  }

  /** Source: mremap with MREMAP_MAYMOVE. @returns the new address @throws ErrnoError EFAULT, EINVAL */
  remap(address: number, oldBytes: number, newBytes: number): number {
    const start = address / PAGE_BYTES;
    const vma = this.#vmaOf(start);
    const wanted = pagesFor(newBytes);
    const had = pagesFor(oldBytes);
    if (wanted === 0) throw refusal('EINVAL', 'the new length is 0', 'mremap');
    if (vma === undefined) throw refusal('EFAULT', 'nothing is mapped there', 'mremap');
    if (wanted <= had) {
      if (wanted < had) this.unmap(address + wanted * PAGE_BYTES, (had - wanted) * PAGE_BYTES);
      return address;
    }
    if (start + had > vma.start + vma.count) throw refusal('EFAULT', 'the range is not one mapping', 'mremap');
    if (vma.fixedLength) throw refusal('EFAULT', 'the mapping cannot grow', 'mremap');
    this.#splitAt(start);
    const moved = this.#vmaOf(start);
    if (moved === undefined) throw refusal('EFAULT', 'nothing is mapped there', 'mremap');
    moved.start = this.#findGap(wanted);
    moved.count = wanted;
    return moved.start * PAGE_BYTES;
  }

  /** What a load does. @throws SignalError */
  read(address: number, lengthBytes: number): Uint8Array {
    const bytes = new Uint8Array(lengthBytes);
    this.#touch(address, lengthBytes, false, ({ page, port }, from, length, at) => {
      bytes.set(port?.load(page, from, length) ?? page.subarray(from, from + length), at);
    });
    return bytes;
  }

  /** What a store does. @throws SignalError; what came before the fault has been written */
  write(address: number, bytes: Uint8Array): void {
    this.#touch(address, bytes.length, true, ({ page, port }, from, length, at) => {
      const part = bytes.subarray(at, at + length);
      if (port?.store(page, from, part) !== true) page.set(part, from);
    });
  }

  fill(address: number, lengthBytes: number, byte: number): void {
    this.#touch(address, lengthBytes, true, ({ page, port }, from, length) => {
      if (port?.store(page, from, new Uint8Array(length).fill(byte)) !== true) page.fill(byte, from, from + length);
    });
  }

  unmapAll(): void {
    const all = this.#vmas;
    this.#vmas = [];
    for (const vma of all) close(vma);
  }

  #touch(
    address: number,
    lengthBytes: number,
    write: boolean,
    use: (found: FoundPage, from: number, length: number, at: number) => void,
  ): void {
    for (let at = 0; at < lengthBytes; ) {
      const number = Math.floor((address + at) / PAGE_BYTES);
      const from = (address + at) % PAGE_BYTES;
      const length = Math.min(PAGE_BYTES - from, lengthBytes - at);
      const found = this.#fault(number, write);
      use(found, from, length, at);
      if (write) this.written(found.page);
      at += length;
    }
  }

  #fault(number: number, write: boolean): FoundPage {
    const vma = this.#vmaOf(number);
    if (vma === undefined) throw new SignalError('SIGSEGV');
    const needed = write ? PROT.WRITE : PROT.READ | PROT.WRITE | PROT.EXEC;
    if ((vma.prot & needed) === 0) throw new SignalError('SIGSEGV');
    const index = vma.first + (number - vma.start);
    const copy = vma.copies.get(index);
    const port = vma.port && { port: vma.port };
    if (copy !== undefined) return { page: copy, ...(vma.shared && port) };
    const page = vma.pager?.page(index, write && vma.shared, number - vma.start);
    if (page === undefined) throw new SignalError('SIGBUS');
    if (vma.keepsFaults) vma.copies.set(index, page);
    if (vma.shared || !write) return { page, ...port };
    const own = page.slice();
    vma.copies.set(index, own);
    return { page: own };
  }

  /** The highest gap that is large enough, so that mappings abut. Source: vm_unmapped_area, top down. */
  #findGap(pages: number): number {
    let end = TOP_PAGE;
    for (const vma of [...this.#vmas].sort((a, b) => b.start - a.start)) {
      if (end - (vma.start + vma.count) >= pages) break;
      end = vma.start;
    }
    if (end - pages <= 0) throw refusal('ENOMEM', 'no range of addresses is long enough');
    return end - pages;
  }

  #vmaOf(page: number): Vma | undefined {
    return this.#vmas.find((vma) => page >= vma.start && page < vma.start + vma.count);
  }

  /** Makes two mappings of one that a page is inside of. Source: __split_vma. */
  #splitAt(page: number): void {
    const vma = this.#vmaOf(page);
    if (vma === undefined || vma.start === page) return;
    const before = page - vma.start;
    this.#vmas.push({
      ...vma,
      start: page,
      count: vma.count - before,
      first: vma.first + before,
      file: vma.file.hold(),
      copies: new Map(vma.copies),
    });
    vma.count = before;
    vma.onOpen?.();
  }
}

/** Source: file_mmap_ok. */
function checkLimit({ mapLimit }: OpenFile, pages: bigint, first: bigint): void {
  if (mapLimit === undefined) return;
  const room = mapLimit - pages * BigInt(PAGE_BYTES);
  if (room < 0n || first > room / BigInt(PAGE_BYTES)) throw refusal('EOVERFLOW', 'the file cannot be that long');
}

function isShared(flags: number): boolean {
  const type = flags & 0xf;
  if (type === MAP.SHARED) return true;
  if (type === MAP.PRIVATE) return false;
  if (type !== MAP.SHARED_VALIDATE) throw refusal('EINVAL', 'it is neither shared nor private');
  if ((flags & ~(0xf | MAP.POPULATE)) !== 0) throw refusal('EOPNOTSUPP', 'it has flags that are not known');
  return true;
}

function close(vma: Vma): void {
  vma.onClose?.();
  vma.file.drop();
}

function refusal(
  code: 'EINVAL' | 'ENOMEM' | 'EOVERFLOW' | 'EACCES' | 'EOPNOTSUPP' | 'EFAULT',
  reason: string,
  op = 'mmap',
): ErrnoError {
  return new ErrnoError(code, op, `Cannot ${op}: ${reason}`);
}
