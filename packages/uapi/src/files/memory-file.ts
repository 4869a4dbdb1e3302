/** The content of a file in memory. Source: mm/shmem.c, v6.12. */
import { ErrnoError } from '@dmabuf-lab/core/base';
import { F_SEAL, PAGE_BYTES } from '../abi/fcntl.js';
import type { SimulatedKernel } from '../kernel/kernel.js';
import { type Page, type PageRun, pagesFor } from '../kernel/pages.js';

/** A page of a file, which outlives the file where somebody holds it. Source: folio references. */
export class FilePage {
  #references = 1;
  readonly bytes: Page;

  constructor(private readonly run: PageRun) {
    [this.bytes] = run.pages;
  }

  hold(): this {
    this.#references += 1;
    return this;
  }

  /** Somebody beside the file holds it. Source: memfd_wait_for_pins. */
  get isPinned(): boolean {
    return this.#references > 1;
  }

  drop(): void {
    this.#references -= 1;
    if (this.#references === 0) this.run.free();
  }
}

export class MemoryFile {
  readonly #pages = new Map<number, FilePage>();
  sizeBytes = 0;
  seals: number;
  /** Permission bits. */
  mode: number;
  /** Shared mappings that may become writable. Source: i_mmap_writable. */
  writableMappings = 0;
  #openFiles = 0;

  constructor(
    private readonly kernel: SimulatedKernel,
    readonly number: number,
    options: { readonly sealable: boolean; readonly executable: boolean },
  ) {
    this.seals = options.sealable ? (options.executable ? 0 : F_SEAL.EXEC) : F_SEAL.SEAL;
    this.mode = options.executable ? 0o777 : 0o666;
  }

  get pageCount(): number {
    return this.#pages.size;
  }

  get isPinned(): boolean {
    return [...this.#pages.values()].some((page) => page.isPinned);
  }

  opened(): void {
    this.#openFiles += 1;
  }

  /** With the last open file, its pages go; those that somebody holds stay with the holder. */
  closed(): void {
    this.#openFiles -= 1;
    if (this.#openFiles === 0) this.punch(0, Number.POSITIVE_INFINITY);
  }

  /** The page at an index, made if it is a hole; undefined beyond the end. @throws ErrnoError ENOMEM */
  page(index: number): FilePage | undefined {
    return index >= pagesFor(this.sizeBytes) ? undefined : this.allocate(index);
  }

  /** The page at an index, made if it is a hole, wherever the file ends. @throws ErrnoError ENOMEM */
  allocate(index: number): FilePage {
    let page = this.#pages.get(index);
    if (page === undefined) {
      page = new FilePage(this.kernel.pages.allocate(1));
      this.#pages.set(index, page);
    }
    return page;
  }

  /** The page at an index, if it is no hole. */
  present(index: number): FilePage | undefined {
    return this.#pages.get(index);
  }

  isSealed(seals: number): boolean {
    return (this.seals & seals) !== 0;
  }

  /** Cuts off, or grows by a hole. Source: shmem_setattr. @throws ErrnoError EPERM */
  resize(sizeBytes: number): void {
    if (sizeBytes < this.sizeBytes && this.isSealed(F_SEAL.SHRINK)) throw sealed('ftruncate', 'shrinking');
    if (sizeBytes > this.sizeBytes && this.isSealed(F_SEAL.GROW)) throw sealed('ftruncate', 'growing');
    if (sizeBytes < this.sizeBytes) {
      const rest = sizeBytes % PAGE_BYTES;
      if (rest !== 0) this.#pages.get(Math.floor(sizeBytes / PAGE_BYTES))?.bytes.fill(0, rest);
      this.punch(pagesFor(sizeBytes), Number.POSITIVE_INFINITY);
    }
    this.sizeBytes = sizeBytes;
  }

  /** Makes holes of whole pages. */
  punch(first: number, end: number): void {
    for (const [index, page] of [...this.#pages]) {
      if (index < first || index >= end) continue;
      this.#pages.delete(index);
      page.drop();
    }
  }

  /** Zeroes a range: holes of whole pages, zeros at its edges. */
  zero(startByte: number, endByte: number): void {
    this.punch(pagesFor(startByte), Math.floor(endByte / PAGE_BYTES));
    for (const index of new Set([Math.floor(startByte / PAGE_BYTES), Math.floor(endByte / PAGE_BYTES)])) {
      const from = Math.max(0, startByte - index * PAGE_BYTES);
      const to = Math.min(PAGE_BYTES, endByte - index * PAGE_BYTES);
      if (from < to) this.#pages.get(index)?.bytes.fill(0, from, to);
    }
  }
}

/** What huge pages have. */
export const HUGE_PAGE_BYTES = 2 * 2 ** 20;

/** One of huge pages: none is ever free, as on a machine that has set none aside. */
export class HugeMemoryFile extends MemoryFile {
  override allocate(): FilePage {
    throw new ErrnoError('ENOMEM', 'hugetlb_reserve_pages', 'Cannot find a huge page: none is set aside');
  }
}

export function sealed(op: string, what: string): ErrnoError {
  return new ErrnoError('EPERM', op, `Cannot ${op}: the file is sealed against ${what}`);
}
