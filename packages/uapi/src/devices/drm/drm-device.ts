/**
 * A DRM device: its driver, its nodes, and what its open files share.
 *
 * Source: struct drm_device, struct drm_driver, drivers/gpu/drm/drm_drv.c, v6.12.
 */
import type { ErrnoCode } from '@dmabuf-lab/core/base';
import type { DeviceConstraints } from '@dmabuf-lab/core/constraints';
import { PAGE_BYTES } from '../../abi/fcntl.js';
import type { SimulatedKernel } from '../../kernel/kernel.js';
import type { Inode } from '../../kernel/open-file.js';
import type { PageAllocator } from '../../kernel/pages.js';
import { DrmFile } from './drm-file.js';
import type { GemObject } from './gem-object.js';
import type { DrmIoctl } from './ioctl-table.js';

/** What a driver brings. */
export interface DrmDriver {
  /** Of DRM_IOCTL_VERSION. */
  readonly name: string;
  /** What it asks of memory that it imports; absent = nothing. */
  readonly constraints?: Omit<DeviceConstraints, 'device'>;
  readonly hasModeSetting: boolean;
  readonly hasSyncobj: boolean;
  /** Imports from other exporters. Source: gem_prime_import_sg_table. */
  readonly canImport: boolean;
  /**
   * A buffer that its constraints do not allow as it lies is refused at the import; absent = not looked at.
   * Source: drm_gem_dma_prime_import_sg_table, v6.12.
   */
  readonly checksImported?: boolean;
  /** Where its own objects lie; in pages of the kernel when absent. */
  readonly pages?: PageAllocator;
  /** What it answers to a buffer that it has attached to and mapped; absent = it takes it. */
  readonly refusesImported?: ErrnoCode;
  /** Devices can attach to what it exports; absent = they can. Source: get_sg_table of drm_gem_object_funcs. */
  readonly canAttach?: boolean;
  /** exp_name of what it exports; absent = `drm`. */
  readonly exporterName?: string;
  /** A mapping keeps the object and not only its pages; absent = it does. Source: drm_gem_ttm_mmap, for those that do not. */
  readonly mappingsKeepObjects?: boolean;
  /** Dumb buffers get their pages when they are made; absent = at first use. */
  readonly takesPagesAtOnce?: boolean;
  /** By nr, those of the driver and those of the core that only some have. */
  readonly ioctls: ReadonlyMap<number, DrmIoctl>;
  /** Entries of the driver's table. */
  readonly driverIoctls: number;
  /** Called for each new open file. */
  opened?(file: DrmFile): void;
  /** Called when it is gone. */
  closed?(file: DrmFile): void;
  /** Called when the last open file is gone. Source: drm_lastclose. */
  lastClosed?(): void;
  /** Called when an object is gone. */
  objectGone?(object: GemObject): void;
  /** A capability that is the driver's to answer; undefined = it has none. */
  capability?(capability: number): number | undefined;
  /** Bytes of a row of a dumb buffer, where they are not the least. Source: dumb_create. @throws ErrnoError EINVAL */
  dumbPitch?(widthPixels: number, bitsPerPixel: number): number;
}

/** A device node. */
export interface DrmNode {
  readonly inode: Inode;
  readonly path: string;
  readonly isRender: boolean;
}

/** Where the ranges of objects begin in the address space of a node, in pages. Source: DRM_FILE_PAGE_OFFSET_START. */
const FIRST_MAP_PAGE = 0x100000;

export class DrmDevice {
  master: DrmFile | undefined;
  readonly names = new Map<number, GemObject>();
  readonly #paths: string[] = [];
  #isUnplugged = false;
  readonly #ranges = new Map<number, GemObject>();
  #nextPage = FIRST_MAP_PAGE;
  #openFiles = 0;

  constructor(
    readonly kernel: SimulatedKernel,
    readonly driver: DrmDriver,
  ) {
    const { name: device, constraints } = driver;
    kernel.addDevice({ ...constraints, device });
  }

  /** Where its own objects lie. */
  get pages(): PageAllocator {
    return this.driver.pages ?? this.kernel.pages;
  }

  /** Adds its nodes. @param render path of the render node; absent = there is none */
  addNodes(primary: string, render?: string): void {
    this.#addNode({ path: primary, isRender: false });
    if (render !== undefined) this.addRenderNode(render);
  }

  /** Adds a render node, which may be the only one. */
  addRenderNode(path: string): void {
    this.#addNode({ path, isRender: true });
  }

  #addNode(given: Omit<DrmNode, 'inode'>): void {
    const { kernel } = this;
    const node = { ...given, inode: kernel.deviceInode() };
    this.#paths.push(given.path);
    kernel.addNode(given.path, (flags) => new DrmFile(this, node, flags));
  }

  /** Its driver has been unbound. Source: drm_dev_is_unplugged. */
  get isUnplugged(): boolean {
    return this.#isUnplugged;
  }

  /** Takes its nodes away; open files answer ENODEV. Source: drm_dev_unplug, v6.12. */
  unplug(): void {
    this.#isUnplugged = true;
    for (const path of this.#paths) this.kernel.removeNode(path);
    this.kernel.changed();
  }

  /** A file has been opened. */
  fileOpened(): void {
    this.#openFiles += 1;
  }

  /** A file is gone, with all that it had. */
  fileClosed(): void {
    this.#openFiles -= 1;
    if (this.#openFiles === 0) this.driver.lastClosed?.();
  }

  /** Gives an object a range to be mapped by. Source: drm_gem_create_mmap_offset. @returns the offset in bytes */
  rangeOf(object: GemObject): number {
    if (object.mapPage === 0) {
      object.mapPage = this.#nextPage;
      this.#nextPage += object.sizeBytes / PAGE_BYTES;
      this.#ranges.set(object.mapPage, object);
    }
    return object.mapPage * PAGE_BYTES;
  }

  /** Source: drm_vma_offset_exact_lookup_locked. */
  objectAt(firstPage: number, pages: number): GemObject | undefined {
    const object = this.#ranges.get(firstPage);
    return object !== undefined && pages <= object.sizeBytes / PAGE_BYTES ? object : undefined;
  }

  forgetRange(object: GemObject): void {
    this.#ranges.delete(object.mapPage);
  }

  /** The lowest free global name. */
  nameFor(object: GemObject): number {
    if (object.name === 0) {
      let name = 1;
      while (this.names.has(name)) name += 1;
      object.name = name;
      this.names.set(name, object);
    }
    return object.name;
  }
}
