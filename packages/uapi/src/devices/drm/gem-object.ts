/**
 * A GEM object: pages that a DRM device knows by handles, and a dma-buf when it is shared.
 *
 * Source: struct drm_gem_object, drivers/gpu/drm/drm_gem.c and drm_gem_shmem_helper.c, v6.12.
 */
import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
import type { DmaBufCaller, ResvWaiter } from '@dmabuf-lab/core/dma-buf';
import type { ResvObject } from '@dmabuf-lab/core/sync';
import { PAGE_BYTES } from '../../abi/fcntl.js';
import type { DmaBufFile } from '../../files/dma-buf.js';
import { storesOf } from '../../files/dma-buf-cpu.js';
import type { VmaRequest } from '../../kernel/address-space.js';
import type { Page, PageAllocator, PageRun } from '../../kernel/pages.js';
import type { AuditedBuffer } from '../../kernel/sync-audit.js';
import type { DrmDevice } from './drm-device.js';
import type { DrmFile } from './drm-file.js';
import type { ImportedBuffer } from './imported.js';

export class GemObject {
  #references = 1;
  #handles = 0;
  /** Global name; 0 = none. */
  name = 0;
  /** The dma-buf by which it is shared, while a handle exists. */
  dmaBuf: DmaBufFile | undefined;
  readonly reservation: ResvObject;
  /** First page of its range in the node's address space; 0 = none yet. */
  mapPage = 0;
  readonly #allowed = new Map<DrmFile, number>();
  #pages: PageRun | undefined;
  /** The object itself while it exists, and mappings that keep its pages only. */
  #users = 1;

  constructor(
    readonly device: DrmDevice,
    /** Whole pages. */
    readonly sizeBytes: number,
    private readonly allocator: PageAllocator,
    readonly imported?: ImportedBuffer,
  ) {
    this.reservation = imported?.buffer.reservation ?? device.kernel.reservation('GEM object');
  }

  /** As findings call it: by the name of its dma-buf, where it has one. */
  get audited(): AuditedBuffer {
    const buffer = this.imported?.buffer ?? this.dmaBuf;
    return { name: buffer?.object.name ?? 'a GEM object', reservation: this.reservation };
  }

  /** Dma-bufs by which others reach it. */
  get sharedAs(): readonly DmaBufFile[] {
    const buffer = this.imported?.buffer ?? this.dmaBuf;
    return buffer === undefined ? [] : [buffer];
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
    this.device.driver.objectGone?.(this);
    this.#dropPages();
    this.imported?.release();
  }

  /** Locks its reservation for a job of the device. @throws ErrnoError what `ImportedBuffer.lockForJob` throws */
  *lockForJob(caller: DmaBufCaller): Task<void> {
    if (this.imported !== undefined) yield* this.imported.lockForJob(caller);
    else yield* caller.lock(this.reservation);
  }

  /** Brings it to where the device reaches it. Context: the caller holds no reservation. @throws ErrnoError EBUSY, EINVAL, ENOMEM */
  *makeReachable(): Task<void> {
    if (this.imported !== undefined) yield* this.imported.makeReachable();
  }

  /**
   * Makes it ready for the device itself. An imported object is mapped for it at the first use, and stays so.
   *
   * Context: the caller holds the reservation.
   * @param wait for fences of usage KERNEL of an imported one
   * @throws ErrnoError ENOMEM, and what the exporter says
   * Source: drm_gem_shmem_get_pages_sgt, drm_gem_prime_import_dev. Differs: Linux maps when it imports.
   */
  *mapForDevice(caller: DmaBufCaller, wait: ResvWaiter): Task<void> {
    if (this.imported === undefined) this.pages();
    else yield* this.imported.map(caller, wait);
  }

  /** As `mapForDevice`, for scan-out: the storage stays where it is until `unpinForDevice`. */
  *pinForDevice(caller: DmaBufCaller, wait: ResvWaiter): Task<void> {
    if (this.imported === undefined) this.pages();
    else yield* this.imported.pin(caller, wait);
  }

  unpinForDevice(): void {
    this.imported?.unpin();
  }

  /** What the device itself works on, once it is mapped for it. */
  devicePages(access: 'read' | 'write'): readonly Page[] {
    return this.imported?.pages(access) ?? this.pages();
  }

  /** A handle refers to it, or a framebuffer does. Source: drm_gem_object_handle_get. */
  takeHandle(): void {
    this.#handles += 1;
  }

  /** As `takeHandle`, where there is one already. Source: drm_gem_object_handle_get_if_exists_unlocked. @returns whether */
  takeAnotherHandle(): boolean {
    if (this.#handles === 0) return false;
    this.#handles += 1;
    return true;
  }

  /** Without handles it has no global name, and its dma-buf is not found from it. Source: drm_gem_object_handle_put_unlocked. */
  giveHandle(): void {
    this.#handles -= 1;
    if (this.#handles > 0) return;
    if (this.name !== 0) this.device.names.delete(this.name);
    this.name = 0;
    this.dmaBuf?.drop();
    this.dmaBuf = undefined;
  }

  #dropPages(): void {
    this.#users -= 1;
    if (this.#users === 0) this.#pages?.free();
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
   * Maps it, whoever's mapping it is.
   *
   * Source: drm_gem_shmem_mmap, drm_gem_shmem_fault: a fault takes the page by its distance from the start of the mapping,
   * whatever the offset, so that what is left of a mapping that was cut shows other pages from then on; and
   * drm_gem_ttm_mmap, ttm_bo_vm_fault, where the offset counts, and the mapping keeps the pages and not the object.
   *
   * @param firstPage the number that the first page of the object has
   * @throws ErrnoError EINVAL
   */
  map(vma: VmaRequest, firstPage = 0): void {
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
    const keepsObject = this.device.driver.mappingsKeepObjects ?? true;
    vma.port = storesOf(() => (this.dmaBuf === undefined ? [] : [this.dmaBuf]));
    vma.fixedLength = true;
    vma.keepsFaults = keepsObject;
    vma.pager = { page: (index, _write, sinceStart) => pages[keepsObject ? sinceStart : index - firstPage] };
    const hold = (): void => {
      if (keepsObject) this.hold();
      else this.#users += 1;
    };
    hold();
    vma.onOpen = hold;
    vma.onClose = () => (keepsObject ? this.drop() : this.#dropPages());
  }

  /** Its pages, made at first use. Source: drm_gem_shmem_get_pages. @throws ErrnoError ENOMEM */
  pages(): PageRun['pages'] {
    this.#pages ??= this.allocator.allocate(this.sizeBytes / PAGE_BYTES);
    return this.#pages.pages;
  }
}
