/** A dma-buf as user space has it. Source: drivers/dma-buf/dma-buf.c, v6.12. */
import { ErrnoError, isErrno, type Task } from '@dmabuf-lab/core/base';
import {
  type DataDirection,
  DmaBufCaller,
  DmaBufObject,
  type DmaBufObjectOps,
  isCpuWrite,
  type ObjectAttachment,
  type ObjectImporterOps,
  type ObjectMapping,
  withCpuCache,
} from '@dmabuf-lab/core/dma-buf';
import { type ResvObject, ResvUsage, unwrapFence, usageToWaitFor } from '@dmabuf-lab/core/sync';
import {
  DMA_BUF_IOCTL_EXPORT_SYNC_FILE,
  DMA_BUF_IOCTL_IMPORT_SYNC_FILE,
  DMA_BUF_IOCTL_SYNC,
  DMA_BUF_NAME_LEN,
  DMA_BUF_SET_NAME_A,
  DMA_BUF_SET_NAME_B,
  DMA_BUF_SYNC,
  dmaBufExportSyncFile,
  dmaBufImportSyncFile,
  dmaBufSync,
} from '../abi/dma-buf.js';
import { O, POLL, SEEK } from '../abi/fcntl.js';
import type { VmaRequest } from '../kernel/address-space.js';
import type { SimulatedKernel } from '../kernel/kernel.js';
import { blocksOf, type Inode, type IoctlCall, OpenFile } from '../kernel/open-file.js';
import type { Page } from '../kernel/pages.js';
import type { Process } from '../kernel/process.js';
import { addFences, fencesOn } from '../kernel/reservations.js';
import type { BufferAccess } from '../kernel/sync-audit.js';
import { DmaBufCpuSide, userSpace } from './dma-buf-cpu.js';
import { fenceOfDescriptor, SyncFileFile } from './sync-file.js';

/** What comes before the ops of an exporter. */
export type DecorateOps = (
  ops: DmaBufObjectOps<readonly Page[], VmaRequest>,
) => DmaBufObjectOps<readonly Page[], VmaRequest>;

/** What an exporter brings. Source: struct dma_buf_ops, struct dma_buf_export_info. */
export interface DmaBufExporter {
  /** exp_name. */
  readonly name: string;
  /** Whole pages. */
  readonly sizeBytes: number;
  /** Shared with the exporter's own object; one of its own when absent. */
  readonly reservation?: ResvObject;
  /** The GEM object that it is, so that its own device finds it again. */
  readonly gemObject?: unknown;
  release(): void;
  /** A device wants to attach. @throws ErrnoError when it may not */
  attach?(): void;
  /** Absent = it cannot be mapped by user space. */
  mmap?(vma: VmaRequest): void;
  /**
   * Its pages, for a driver that works by the processor, and for devices that map it; absent = neither can.
   * Source: dma_buf_vmap, map_dma_buf.
   */
  vmap?(): readonly Page[];
  beginCpuAccess?(write: boolean): void;
  endCpuAccess?(write: boolean): void;
  /**
   * The buffer, where its storage moves; of what is above, `release` and `vmap` are asked then. Absent = storage stays.
   *
   * @param name what messages call it
   * @param reservation its own, which the file has made
   * @param cached the ops with the cache of the CPU before them, where there is one
   */
  makeObject?(name: string, reservation: ResvObject, cached: DecorateOps): DmaBufObject<readonly Page[], VmaRequest>;
  /**
   * Storage that a device is to map, and that some device does not reach, moves; the reservation is not held, and is waited for.
   *
   * @throws ErrnoError EBUSY, EINVAL, ENOMEM when it cannot move and that very device does not reach it
   */
  makeReachable?(device: string): Task<void>;
  /** Lines of fdinfo of its own. */
  fdinfo?(): Readonly<Record<string, string | number>>;
}

/** A device that has attached. Source: struct dma_buf_attachment. */
export type DmaBufAttachment = ObjectAttachment<readonly Page[]>;
/** Source: struct sg_table as dma_buf_map_attachment returns it. */
export type DmaBufMapping = ObjectMapping<readonly Page[]>;

/** A poll of one direction that waits for a fence. Source: struct dma_buf_poll_cb_t. */
interface ArmedPoll {
  isActive: boolean;
}

export class DmaBufFile extends OpenFile {
  readonly reservation: ResvObject;
  /** The buffer itself, for drivers: what they map, pin and lock goes through it. The file holds it once. */
  readonly object: DmaBufObject<readonly Page[], VmaRequest>;
  /** What the CPU does with it. */
  readonly cpu: DmaBufCpuSide;
  readonly #number: number;
  #fixedPages: readonly Page[] | undefined;
  #name: string | undefined;
  /** By whom devices were had to attach, where that is wanted. */
  readonly #sites = new WeakMap<DmaBufAttachment, string | undefined>();
  #mode = 0o600;
  readonly #armedIn: ArmedPoll = { isActive: false };
  readonly #armedOut: ArmedPoll = { isActive: false };

  /** @param flags access mode of its file */
  constructor(
    private readonly kernel: SimulatedKernel,
    readonly exporter: DmaBufExporter,
    flags: number,
  ) {
    super(flags);
    this.#number = kernel.nextInode();
    this.reservation = exporter.reservation ?? kernel.reservation(exporter.name);
    const name = `${exporter.name} ${this.#number}`;
    const { sizeBytes } = exporter;
    const view = kernel.cpuCache?.view({ name, sizeBytes, page: (index) => this.#pages()[index] });
    const cached: DecorateOps = (ops) => (view ? withCpuCache(ops, view, (ns) => kernel.spend(ns)) : ops);
    this.object = exporter.makeObject?.(name, this.reservation, cached) ?? this.#fixedObject(name, cached);
    this.cpu = new DmaBufCpuSide(kernel, this.object, view && { view, pages: () => this.#pages() });
    if (kernel.callSites !== undefined) kernel.dmaBufs.set(this, { name, attached: () => this.#attached() });
  }

  *#attached(): Generator<{ readonly device: string; readonly site: string | undefined }> {
    for (const attachment of this.attachments) {
      yield { device: attachment.device, site: this.#sites.get(attachment) };
    }
  }

  /** Its pages where they are now; what stays is asked for once. */
  #pages(): readonly Page[] {
    if (this.isMovable) return this.exporter.vmap?.() ?? [];
    this.#fixedPages ??= this.exporter.vmap?.() ?? [];
    return this.#fixedPages;
  }

  #fixedObject(name: string, cached: DecorateOps): DmaBufObject<readonly Page[], VmaRequest> {
    const { exporter, reservation } = this;
    return new DmaBufObject({
      exporterName: exporter.name,
      name,
      sizeBytes: exporter.sizeBytes,
      ops: cached(opsOf(exporter)),
      reservation,
      rules: this.kernel.dmaBufRules,
    });
  }

  /** Whether its storage can move, so that it matters when devices map it. Source: dma_buf_is_dynamic. */
  get isMovable(): boolean {
    return this.exporter.makeObject !== undefined;
  }

  get attachments(): ReadonlySet<DmaBufAttachment> {
    return this.object.attachments;
  }

  get sizeBytes(): number {
    return this.exporter.sizeBytes;
  }

  get linkTarget(): string {
    return `/dmabuf:${this.#name ?? ''}`;
  }

  override get inode(): Inode {
    return { number: this.#number, sizeBytes: this.sizeBytes, blocks: blocksOf(this.sizeBytes), mode: this.#mode };
  }

  override chmod(mode: number): void {
    this.#mode = mode & 0o7777;
  }

  /**
   * For an importer that does not follow moves. Context: whoever calls does not hold the reservation.
   *
   * @throws ErrnoError what the exporter says
   * Source: dma_buf_attach.
   */
  attach(device: string): DmaBufAttachment {
    return this.#noteSite(this.object.attach(new DmaBufCaller(device), device));
  }

  /** For an importer that follows moves. Context: as `attach`. Source: dma_buf_dynamic_attach. */
  dynamicAttach(device: string, importerOps: ObjectImporterOps): DmaBufAttachment {
    return this.#noteSite(this.object.dynamicAttach(new DmaBufCaller(device), device, importerOps));
  }

  #noteSite(attachment: DmaBufAttachment): DmaBufAttachment {
    const { callSites } = this.kernel;
    if (callSites !== undefined) this.#sites.set(attachment, callSites.here());
    return attachment;
  }

  /**
   * Locks the reservation, and maps the buffer for a device; storage that it does not reach moves first.
   *
   * @param caller holds no reservation; afterwards this one, unless it throws
   * @throws ErrnoError what the exporter throws
   * Source: dma_buf_map_attachment.
   */
  *lockAndMap(caller: DmaBufCaller, attachment: DmaBufAttachment, direction: DataDirection): Task<DmaBufMapping> {
    yield* this.makeReachable(attachment);
    yield* caller.lock(this.reservation);
    try {
      return yield* this.object.mapAttachment(caller, attachment, direction);
    } catch (error) {
      caller.unlock(this.reservation);
      throw error;
    }
  }

  /** Moves storage that the device does not reach. Context: the caller holds no reservation. @throws ErrnoError what the exporter throws */
  *makeReachable({ device }: DmaBufAttachment): Task<void> {
    if (this.exporter.makeReachable !== undefined) yield* this.exporter.makeReachable(device);
  }

  /** Context: as `attach`. Source: dma_buf_detach. */
  detach(attachment: DmaBufAttachment): void {
    this.object.detach(new DmaBufCaller(attachment.device), attachment);
  }

  /** The last descriptor is gone, which nobody can refuse; what a strict buffer has against it is on record. */
  protected override release(): void {
    this.kernel.dmaBufs.delete(this);
    try {
      this.object.put(userSpace());
    } catch (error) {
      if (!isErrno(error)) throw error;
      this.cpu.view?.discard(); // before the pages are somebody else's
      this.exporter.release();
    }
  }

  /** Source: dma_buf_llseek. */
  override seek(offset: bigint, whence: number): number {
    const base = whence === SEEK.END ? this.sizeBytes : whence === SEEK.SET ? 0 : undefined;
    if (base === undefined || offset !== 0n) {
      throw new ErrnoError('EINVAL', 'lseek', 'Cannot seek a dma-buf but to its start or its end');
    }
    return base;
  }

  /** Source: dma_buf_mmap_internal. */
  override mmap(vma: VmaRequest): void {
    this.object.mmap(userSpace(), vma);
    vma.port = this.cpu.port;
  }

  /**
   * Source: dma_buf_poll. A direction that is not ready arms one callback, which holds the file; while it is armed, other
   * polls of that direction are told that it is not ready.
   */
  override poll(events: number): number {
    const out = (events & POLL.OUT) !== 0 && this.#isReady(this.#armedOut, true) ? POLL.OUT : 0;
    const input = (events & POLL.IN) !== 0 && this.#isReady(this.#armedIn, false) ? POLL.IN : 0;
    if (out !== 0) this.#goesAhead('poll', 'write');
    if (input !== 0) this.#goesAhead('poll', 'read');
    return out | input;
  }

  /** User space goes on to use the buffer, whatever devices do that no fence tells of. */
  #goesAhead(op: string, access: BufferAccess): void {
    this.kernel.syncAudit.goesAhead({ buffer: this.object, who: userSpace().name, op, access });
  }

  #isReady(armed: ArmedPoll, write: boolean): boolean {
    if (armed.isActive) return false;
    const done = (): void => {
      armed.isActive = false;
      this.drop();
      this.kernel.changed();
    };
    for (const fence of fencesOn(this.reservation, usageToWaitFor(write))) {
      if (fence.tryAddCallback(done) === undefined) continue;
      armed.isActive = true;
      this.hold();
      return false;
    }
    return true;
  }

  override *ioctl(call: IoctlCall): Task<number> {
    const { process, command, argument } = call;
    switch (command) {
      case DMA_BUF_IOCTL_SYNC.number: {
        const { flags } = process.user.readStruct(argument, dmaBufSync, DMA_BUF_IOCTL_SYNC.name);
        yield* this.cpu.sync(process, flags);
        return 0;
      }
      case DMA_BUF_SET_NAME_A.number:
      case DMA_BUF_SET_NAME_B.number:
        this.#name = process.user.readString(argument, DMA_BUF_NAME_LEN, 'DMA_BUF_SET_NAME');
        return 0;
      case DMA_BUF_IOCTL_EXPORT_SYNC_FILE.number:
        return this.#exportSyncFile(process, argument);
      case DMA_BUF_IOCTL_IMPORT_SYNC_FILE.number:
        return yield* this.#importSyncFile(process, argument);
      default:
        return yield* super.ioctl(call);
    }
  }

  /** Source: dma_buf_export_sync_file. */
  #exportSyncFile(process: Process, argument: bigint): number {
    const op = DMA_BUF_IOCTL_EXPORT_SYNC_FILE.name;
    const data = process.user.readStruct(argument, dmaBufExportSyncFile, op);
    checkSyncFileFlags(data.flags, op);
    process.fds.reserve();
    const usage = usageToWaitFor((data.flags & DMA_BUF_SYNC.WRITE) !== 0);
    const fence = this.reservation.getSingleton(usage) ?? this.kernel.fences.stub();
    data.fd = process.install(SyncFileFile.of(this.kernel, fence), O.CLOEXEC);
    process.user.writeStruct(argument, dmaBufExportSyncFile, data, op);
    return 0;
  }

  /** Source: dma_buf_import_sync_file. Containers are taken apart. */
  *#importSyncFile(process: Process, argument: bigint): Task<number> {
    const op = DMA_BUF_IOCTL_IMPORT_SYNC_FILE.name;
    const { flags, fd } = process.user.readStruct(argument, dmaBufImportSyncFile, op);
    checkSyncFileFlags(flags, op);
    const fence = fenceOfDescriptor(process, fd);
    if (fence === undefined) throw new ErrnoError('EINVAL', op, `Cannot import descriptor ${fd}: it is no sync file`);
    const usage = (flags & DMA_BUF_SYNC.WRITE) !== 0 ? ResvUsage.Write : ResvUsage.Read;
    yield* addFences(this.kernel, this.reservation, [...unwrapFence(fence)], usage);
    return 0;
  }

  /** Source: dma_buf_show_fdinfo. */
  override fdinfo(): Readonly<Record<string, string | number>> {
    const { sizeBytes: size, references: count } = this;
    const name = this.#name !== undefined && { name: this.#name };
    return { size, count, exp_name: this.exporter.name, ...name, ...this.exporter.fdinfo?.() };
  }
}

/** The exporter as `DmaBufObject` takes it: its pages stay where they are. */
function opsOf(exporter: DmaBufExporter): DmaBufObjectOps<readonly Page[], VmaRequest> {
  const { mmap, vmap } = exporter;
  return {
    attach: () => exporter.attach?.(),
    *mapDmaBuf() {
      return exporter.vmap?.();
    },
    unmapDmaBuf: () => {},
    release: () => exporter.release(),
    *beginCpuAccess(direction) {
      exporter.beginCpuAccess?.(isCpuWrite(direction));
    },
    endCpuAccess: (direction) => exporter.endCpuAccess?.(isCpuWrite(direction)),
    ...(vmap !== undefined && { vmap: () => vmap.call(exporter) }),
    ...(mmap !== undefined && { mmap: (vma: VmaRequest) => mmap.call(exporter, vma) }),
  };
}

function checkSyncFileFlags(flags: number, op: string): void {
  const isValid = (flags & ~DMA_BUF_SYNC.RW) === 0 && (flags & DMA_BUF_SYNC.RW) !== 0;
  if (!isValid) throw new ErrnoError('EINVAL', op, `Cannot do it: flags 0x${flags.toString(16)}`);
}
