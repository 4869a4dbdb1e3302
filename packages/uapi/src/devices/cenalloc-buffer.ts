import { ErrnoError, isErrno, type Nanoseconds, sleepUntil, type Task } from '@dmabuf-lab/core/base';
import type { DeviceConstraints } from '@dmabuf-lab/core/constraints';
import { DmaBufCaller, type DmaBufObject, type DmaBufObjectOps, MovableExporter } from '@dmabuf-lab/core/dma-buf';
import type { ResvObject } from '@dmabuf-lab/core/sync';
import type { DecorateOps, DmaBufExporter } from '../files/dma-buf.js';
import type { VmaRequest } from '../kernel/address-space.js';
import type { SimulatedKernel } from '../kernel/kernel.js';
import type { Page } from '../kernel/pages.js';
import type { CenallocStorage } from './cenalloc-storage.js';

type Movable = MovableExporter<readonly Page[], VmaRequest>;

export interface CenallocBufferOptions {
  /** Whole pages. */
  readonly sizeBytes: number;
  /** What whoever made it asks for, as one more device. */
  readonly creator: DeviceConstraints;
  /** How long a move takes to copy it. */
  readonly copyNs: Nanoseconds;
}

/**
 * A buffer whose storage is chosen at its first map, and moves when a device attaches that does not reach it.
 *
 * An attach decides: it is refused where no place suits everybody, or where the storage has to stay. The move itself waits
 * until a device maps. It is then made for all who are attached, one move at a time.
 *
 * Source: map_dma_buf of struct dma_buf_ops, include/linux/dma-buf.h, v6.12; the RFC of cenalloc, 2014. Differs: the RFC
 * knows no move, and refuses mmap before the first map, where a fault chooses here.
 */
export class CenallocBuffer implements DmaBufExporter {
  readonly name = 'cenalloc';
  readonly sizeBytes: number;
  #movable: Movable | undefined;
  #isMoving = false;

  constructor(
    private readonly kernel: SimulatedKernel,
    private readonly storage: CenallocStorage,
    private readonly options: CenallocBufferOptions,
  ) {
    this.sizeBytes = options.sizeBytes;
  }

  makeObject(name: string, reservation: ResvObject, cached: DecorateOps): DmaBufObject<readonly Page[], VmaRequest> {
    const { kernel, storage, sizeBytes } = this;
    this.#movable = new MovableExporter<readonly Page[], VmaRequest>({
      name,
      exporterName: this.name,
      sizeBytes,
      reservation,
      rules: kernel.dmaBufRules,
      access: storage,
      allocate: () => storage.allocate(name, sizeBytes, this.#devices()),
      isReachable: (pages, device) => storage.objection(pages, kernel.deviceNamed(device)) === undefined,
      decorate: (exporter) => cached(this.#opsOf(exporter)),
    });
    return this.#movable.buffer;
  }

  /** The object has released the storage. */
  release(): void {
    this.#movable?.release();
  }

  /** Chooses the storage, if there is none yet. @throws ErrnoError as `CenallocStorage.allocate` */
  vmap(): readonly Page[] {
    this.#movable?.page(0);
    return this.#movable?.storage ?? [];
  }

  /** What all ask for who are attached, and the creator. */
  #devices(): DeviceConstraints[] {
    const attached = [...(this.#movable?.buffer.attachments ?? [])].map(({ device }) =>
      this.kernel.deviceNamed(device),
    );
    return this.options.creator.alignmentBytes === undefined ? attached : [...attached, this.options.creator];
  }

  #opsOf(exporter: Movable): DmaBufObjectOps<readonly Page[], VmaRequest> {
    return {
      attach: ({ device }) => this.#checkAttach(exporter, device),
      pin: (attachment) => exporter.pin(attachment),
      unpin: () => exporter.unpin(),
      mapDmaBuf: (attachment) => exporter.mapDmaBuf(attachment),
      unmapDmaBuf: () => exporter.unmapDmaBuf(),
      release: () => exporter.release(),
      beginCpuAccess: (direction, caller) => exporter.beginCpuAccess(direction, caller),
      mmap: (vma) => mapForUser(exporter, vma),
      vmap: () => exporter.vmap(),
      vunmap: () => exporter.vunmap(),
    };
  }

  /** @throws ErrnoError EINVAL where no place suits all, EBUSY where the storage has to stay, ENOMEM where it cannot fit */
  #checkAttach({ buffer, storage: pages }: Movable, device: string): void {
    const { name, sizeBytes } = buffer;
    const holders = [...buffer.pinnedBy, ...buffer.vmapUsers.map((user) => `${user} (vmap)`)];
    const situation = { name, sizeBytes, pages, devices: this.#devices(), holders };
    const { refusal } = this.storage.planAttach(situation, this.kernel.deviceNamed(device));
    if (refusal === undefined) return;
    const { errno, reason, conflict } = refusal;
    throw new ErrnoError(errno, 'dma_buf_attach', `Cannot attach ${device} to ${name}: ${reason}`, {
      holders,
      conflict,
    });
  }

  *makeReachable(device: string): Task<void> {
    const movable = this.#movable;
    if (movable === undefined) return;
    const { changes } = movable.buffer;
    while (this.#outOfReach(movable).length > 0) {
      if (this.#isMoving) {
        yield* changes.until(() => !this.#isMoving, 'a move');
        continue;
      }
      this.#isMoving = true;
      try {
        yield* this.#move(movable);
      } catch (error) {
        if (!isErrno(error) || this.#outOfReach(movable).includes(device)) throw error;
        return; // it is another's trouble
      } finally {
        this.#isMoving = false;
        changes.wake();
      }
    }
  }

  /** Attached devices that do not reach the storage. */
  #outOfReach({ buffer, storage: pages }: Movable): string[] {
    if (pages === undefined) return [];
    return [...buffer.attachments]
      .map(({ device }) => device)
      .filter((device) => this.storage.objection(pages, this.kernel.deviceNamed(device)) !== undefined);
  }

  *#move(movable: Movable): Task<void> {
    const { kernel, storage, sizeBytes, options } = this;
    const from = movable.storage ?? [];
    const target = storage.allocate(movable.buffer.name, sizeBytes, this.#devices());
    let isMoved = false;
    try {
      yield* movable.move(new DmaBufCaller('cenalloc'), target, {
        spendCopyTime: () => sleepUntil(kernel.now() + options.copyNs, 'the copy of a move'),
      });
      isMoved = true;
      for (const watcher of kernel.pageWatchers) watcher.moved?.(from, target); // in the step that has published the target
    } finally {
      if (!isMoved) storage.free(target);
    }
  }

  fdinfo(): Readonly<Record<string, string | number>> {
    const pages = this.#movable?.storage;
    const place = pages === undefined ? undefined : this.storage.placeOf(pages);
    if (place === undefined) return { moves: 0 };
    const { allocation, devices, why } = place;
    return { heap: allocation.heap, placed_for: devices.join(', '), why, moves: this.#movable?.generation ?? 0 };
  }
}

/** A fault for which there is no storage is SIGBUS. Source: VM_FAULT_SIGBUS. */
function mapForUser(exporter: Movable, vma: VmaRequest): void {
  exporter.mmap(vma);
  const { pager } = vma;
  const page = (index: number, write: boolean, sinceStart: number): Page | undefined => {
    try {
      return pager?.page(index, write, sinceStart);
    } catch (error) {
      if (!isErrno(error)) throw error;
      return undefined;
    }
  };
  vma.pager = { page };
}
