/**
 * A GEM object: pages that a DRM device knows by handles, and a dma-buf when it is shared.
 *
 * Source: struct drm_gem_object, drivers/gpu/drm/drm_gem.c and drm_gem_shmem_helper.c, v6.12.
 */
import { ErrnoError } from '@dmabuf-lab/core/base';
import type { ResvObject } from '@dmabuf-lab/core/sync';
import { PAGE_BYTES } from '../../abi/fcntl.js';
import type { DmaBufAttachment, DmaBufFile } from '../../files/dma-buf.js';
import type { VmaRequest } from '../../kernel/address-space.js';
import type { PageAllocator, PageRun } from '../../kernel/pages.js';
import type { DrmDevice } from './drm-device.js';
import type { DrmFile } from './drm-file.js';

/** What an object imported from another exporter holds. */
export interface Imported {
  readonly buffer: DmaBufFile;
  readonly attachment: DmaBufAttachment;
}

export class GemObject {
  #references = 1;
  handleCount = 0;
  /** Global name; 0 = none. */
  name = 0;
  /** The dma-buf by which it is shared, while a handle exists. */
  dmaBuf: DmaBufFile | undefined;
  readonly reservation: ResvObject;
  /** First page of its range in the node's address space; 0 = none yet. */
  mapPage = 0;
  readonly #allowed = new Map<DrmFile, number>();
  #pages: PageRun | undefined;

  constructor(
    readonly device: DrmDevice,
    /** Whole pages. */
    readonly sizeBytes: number,
    private readonly allocator: PageAllocator,
    readonly imported?: Imported,
  ) {
    this.reservation = imported?.buffer.reservation ?? device.kernel.reservation('GEM object');
  }

  hold(): this {
    this.#references += 1;
    return this;
  }

  /** Source: drm_gem_object_put. */
  drop(): void {
    this.#references -= 1;
    if (this.#references > 0) return;
    this.device.forgetRange(this);
    this.#pages?.free();
    if (this.imported !== undefined) {
      const { buffer, attachment } = this.imported;
      buffer.detach(attachment);
      buffer.drop();
    }
  }

  /** The file may map it. Source: drm_vma_node_allow; counted. */
  allow(file: DrmFile): void {
    this.#allowed.set(file, (this.#allowed.get(file) ?? 0) + 1);
  }

  revoke(file: DrmFile): void {
    const left = (this.#allowed.get(file) ?? 0) - 1;
    if (left > 0) this.#allowed.set(file, left);
    else this.#allowed.delete(file);
  }

  isAllowed(file: DrmFile): boolean {
    return this.#allowed.has(file);
  }

  /**
   * Maps it, whoever's mapping it is. A fault takes the page by its distance from the start of the mapping, whatever the
   * offset: what is left of a mapping that was cut shows other pages from then on.
   * Source: drm_gem_shmem_mmap, drm_gem_shmem_fault. @throws ErrnoError EINVAL
   */
  map(vma: VmaRequest): void {
    if (this.imported !== undefined) {
      const { buffer } = this.imported;
      vma.file.drop();
      vma.file = buffer.hold();
      buffer.mmap(vma);
      return;
    }
    if (!vma.shared && vma.mayWrite)
      throw new ErrnoError('EINVAL', 'mmap', 'Cannot map privately: GEM objects are shared');
    const pages = this.pages();
    vma.fixedLength = true;
    vma.keepsFaults = true;
    vma.pager = { page: (_index, _write, sinceStart) => pages[sinceStart] };
    this.hold();
    vma.onOpen = () => {
      this.hold();
    };
    vma.onClose = () => this.drop();
  }

  /** Its pages, made at first use. Source: drm_gem_shmem_get_pages. @throws ErrnoError ENOMEM */
  pages(): PageRun['pages'] {
    this.#pages ??= this.allocator.allocate(this.sizeBytes / PAGE_BYTES);
    return this.#pages.pages;
  }
}
