/**
 * An open file of a DRM node: handles, PRIME table, events, and the way to the ioctls.
 *
 * Source: struct drm_file, drm_ioctl, drm_gem.c and drm_prime.c in drivers/gpu/drm, v6.12.
 */
import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
import { DRM_COMMAND_BASE, DRM_COMMAND_END, DRM_CORE_IOCTL_COUNT, DRM_IOCTL_BASE } from '../../abi/drm.js';
import { O, POLL } from '../../abi/fcntl.js';
import { IOC, ioctlDirection, ioctlNr, ioctlSize, ioctlType } from '../../abi/ioctl.js';
import type { DmaBufFile } from '../../files/dma-buf.js';
import type { VmaRequest } from '../../kernel/address-space.js';
import { type Inode, type IoctlCall, OpenFile } from '../../kernel/open-file.js';
import type { Process } from '../../kernel/process.js';
import { coreIoctls } from './core-ioctls.js';
import type { DrmDevice, DrmNode } from './drm-device.js';
import type { GemObject } from './gem-object.js';
import { type DrmIoctl, PERMIT } from './ioctl-table.js';

/** Room for events that have not been read. Source: drm_file_alloc. */
const EVENT_ROOM_BYTES = 4096;

export class DrmFile extends OpenFile {
  readonly #handles = new Map<number, GemObject>();
  /** Dma-bufs that have a handle in this file. Source: struct drm_prime_file_private. */
  readonly #primeByHandle = new Map<number, DmaBufFile>();
  /** To be read. */
  readonly events: Uint8Array[] = [];
  #eventRoomBytes = EVENT_ROOM_BYTES;
  /** What a driver keeps for this file. */
  driverData: unknown;

  constructor(
    readonly device: DrmDevice,
    private readonly node: DrmNode,
    flags: number,
  ) {
    if (device.isUnplugged) throw unplugged('open');
    super(flags | O.LARGEFILE);
    device.fileOpened();
    if (!node.isRender && device.master === undefined) device.master = this;
    device.driver.opened?.(this);
  }

  override reopen(flags: number): OpenFile {
    return new DrmFile(this.device, this.node, flags);
  }

  get linkTarget(): string {
    return this.node.path;
  }

  get isRender(): boolean {
    return this.node.isRender;
  }

  override get inode(): Inode {
    return this.node.inode;
  }

  override get positional(): boolean {
    return true;
  }

  /** Source: FOP_UNSIGNED_OFFSET. */
  override get mapLimit(): undefined {
    return undefined;
  }

  get isMaster(): boolean {
    return this.device.master === this;
  }

  protected override release(): void {
    const { device } = this;
    device.driver.closed?.(this);
    for (const handle of [...this.#handles.keys()]) this.closeHandle(handle);
    if (this.isMaster) device.master = undefined;
    device.fileClosed();
  }

  /** Source: noop_llseek. */
  override seek(): number {
    return this.position;
  }

  // --- handles -------------------------------------------------------------------------------------------------------

  /** Source: drm_gem_object_lookup, without the reference. */
  object(handle: number): GemObject | undefined {
    return this.#handles.get(handle);
  }

  /** @throws ErrnoError ENOENT */
  needObject(handle: number, op: string): GemObject {
    const object = this.#handles.get(handle);
    if (object === undefined)
      throw new ErrnoError('ENOENT', op, `Cannot use handle ${handle}: there is none`, { handle });
    return object;
  }

  /** Gives an object a handle, the lowest that is free; holds the object. Source: drm_gem_handle_create_tail. */
  createHandle(object: GemObject): number {
    let handle = 1;
    while (this.#handles.has(handle)) handle += 1;
    this.#handles.set(handle, object.hold());
    object.takeHandle();
    object.allow(this);
    return handle;
  }

  /** Source: drm_gem_object_release_handle, drm_gem_object_handle_put_unlocked. @returns whether there was one */
  closeHandle(handle: number): boolean {
    const object = this.#handles.get(handle);
    if (object === undefined) return false;
    this.#primeByHandle.get(handle)?.drop();
    this.#primeByHandle.delete(handle);
    object.revoke(this);
    this.#handles.delete(handle);
    object.giveHandle();
    object.drop();
    return true;
  }

  // --- PRIME ---------------------------------------------------------------------------------------------------------

  primeBuffer(handle: number): DmaBufFile | undefined {
    return this.#primeByHandle.get(handle);
  }

  primeHandle(buffer: DmaBufFile): number | undefined {
    for (const [handle, known] of this.#primeByHandle) if (known === buffer) return handle;
    return undefined;
  }

  /** Holds the buffer. Source: drm_prime_add_buf_handle. */
  addPrime(buffer: DmaBufFile, handle: number): void {
    this.#primeByHandle.set(handle, buffer.hold());
  }

  // --- events --------------------------------------------------------------------------------------------------------

  /** Takes room for an event that is to come. Source: drm_event_reserve_init. @throws ErrnoError ENOMEM */
  reserveEvent(sizeBytes: number, op: string): void {
    if (this.#eventRoomBytes < sizeBytes) {
      throw new ErrnoError('ENOMEM', op, 'Cannot keep another event: too many have not been read');
    }
    this.#eventRoomBytes -= sizeBytes;
  }

  /** Gives room back: the event will not come. Source: drm_event_cancel_free. */
  cancelEvent(sizeBytes: number): void {
    this.#eventRoomBytes += sizeBytes;
  }

  /** An event for which room has been taken. Source: drm_send_event. */
  send(event: Uint8Array): void {
    this.events.push(event);
    this.device.kernel.changed();
  }

  override get isGone(): boolean {
    return this.device.isUnplugged;
  }

  /** Source: drm_poll. Differs: an unplugged device says so. */
  override poll(): number {
    if (this.isGone) return POLL.ERR | POLL.HUP;
    return this.events.length > 0 ? POLL.IN | POLL.RDNORM : 0;
  }

  /** Whole events only. Source: drm_read. */
  override *read(process: Process, lengthBytes: number): Task<Uint8Array> {
    const take = (): Uint8Array | undefined => this.events[0];
    let event = take();
    if (event === undefined && this.isGone) throw unplugged('read');
    if (event === undefined && this.nonblocking)
      throw new ErrnoError('EAGAIN', 'read', 'Cannot read: there is no event');
    event ??= yield* process.wait(take, Number.POSITIVE_INFINITY, 'a DRM event');
    const parts: number[] = [];
    while (this.events.length > 0 && parts.length + this.events[0].length <= lengthBytes) {
      parts.push(...(this.events.shift() ?? []));
    }
    this.#eventRoomBytes += parts.length;
    return Uint8Array.from(parts);
  }

  // --- mappings ------------------------------------------------------------------------------------------------------

  /** Source: drm_gem_mmap. @throws ErrnoError EINVAL, EACCES */
  override mmap(vma: VmaRequest): void {
    if (this.isGone) throw unplugged('mmap');
    const object = this.device.objectAt(vma.first, vma.count);
    if (object === undefined)
      throw new ErrnoError('EINVAL', 'mmap', 'Cannot map: no object has that offset and length');
    if (!object.isAllowed(this))
      throw new ErrnoError('EACCES', 'mmap', 'Cannot map: this file has no handle of the object');
    object.map(vma, object.mapPage);
  }

  // --- ioctls --------------------------------------------------------------------------------------------------------

  /** Source: drm_ioctl. Only the nr selects; the size may be another, and what is missing is zero. */
  override *ioctl({ process, command, argument }: IoctlCall): Task<number> {
    if (this.isGone) throw unplugged('ioctl');
    if (ioctlType(command) !== DRM_IOCTL_BASE.charCodeAt(0)) {
      throw new ErrnoError('ENOTTY', 'ioctl', 'Cannot do an ioctl that is not of DRM');
    }
    const entry = this.#entry(ioctlNr(command));
    const both = (direction: number): boolean =>
      (ioctlDirection(command) & ioctlDirection(entry.number) & direction) !== 0;
    const size = ioctlSize(command);
    const given = both(IOC.write) ? process.user.read(argument, size, entry.name) : new Uint8Array(0);
    const data = new Uint8Array(Math.max(size, entry.sizeBytes));
    data.set(given);
    try {
      this.#permit(entry);
      const started = entry.run({ file: this, process, data });
      return typeof started === 'number' ? started : yield* started;
    } finally {
      if (both(IOC.read)) process.user.write(argument, data.subarray(0, size), entry.name);
    }
  }

  #entry(nr: number): DrmIoctl {
    const { driver } = this.device;
    const isDrivers = nr >= DRM_COMMAND_BASE && nr < DRM_COMMAND_END;
    const most = isDrivers ? DRM_COMMAND_BASE + driver.driverIoctls : DRM_CORE_IOCTL_COUNT;
    const entry = nr < most ? (driver.ioctls.get(nr) ?? coreIoctls.get(nr)) : undefined;
    if (entry === undefined)
      throw new ErrnoError('EINVAL', 'ioctl', `Cannot do DRM ioctl ${nr}: ${driver.name} has none`);
    return entry;
  }

  /** Source: drm_ioctl_permit; whoever calls is root. @throws ErrnoError EACCES */
  #permit({ permit, name }: DrmIoctl): void {
    const refuse = (why: string): ErrnoError => new ErrnoError('EACCES', name, `Cannot do ${name}: ${why}`);
    if ((permit & PERMIT.MASTER) !== 0 && !this.isMaster) throw refuse('the file is not master');
    if ((permit & PERMIT.RENDER_ALLOW) === 0 && this.isRender) throw refuse('render nodes may not');
  }
}

/** Source: drm_dev_is_unplugged in drm_ioctl, drm_gem_mmap and drm_minor_acquire, v6.12. */
function unplugged(op: string): ErrnoError {
  return new ErrnoError('ENODEV', op, `Cannot ${op}: the device has been unplugged`);
}
