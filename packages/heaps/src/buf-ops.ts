/**
 * What buffers of each kind of memory do: `DmaBufOps` for system memory, protected memory and device-local memory.
 *
 * Shared here: who is attached to which storage, and the counts of maps and vmaps, so that each call has its counterpart.
 *
 * Source: system_heap_buf_ops, drivers/dma-buf/heaps/system_heap.c, and cma_heap_buf_ops, cma_heap.c, v6.12. Differs:
 * a detach while mapped is refused, where Linux only ought not to see it.
 */
import { ErrnoError, type Nanoseconds } from '@dmabuf-lab/core/base';
import type { DeviceConstraints } from '@dmabuf-lab/core/constraints';
import type { CpuAccessDirection, DmaBufOps, HeapAllocation } from '@dmabuf-lab/core/dma-buf';
import { PAGE_SIZE, type SgTable } from '@dmabuf-lab/core/memory';

/** Cache maintenance of one page by address: clean or invalidate. A parameter of the model. */
export const CACHE_MAINTENANCE_PAGE_NS = 60;

/** Whether the CPU's view of the pages is cached: then a CPU access costs maintenance at both ends. */
export type CacheState = 'cached' | 'uncached';

/** What stands for one storage while it is out. */
interface StorageUse {
  readonly attached: Map<string, { attachments: number; maps: number }>;
  vmaps: number;
  pins: number;
}

/** System memory, as every heap of Linux has it. */
export class PageOps implements DmaBufOps {
  readonly #uses = new Map<HeapAllocation, StorageUse>();

  /**
   * @param free gives the pages back to the heap
   * @param cache of the CPU's mappings
   */
  constructor(
    protected readonly heap: string,
    private readonly free: (storage: HeapAllocation) => void,
    private readonly cache: CacheState = 'cached',
  ) {}

  attach(storage: HeapAllocation, { device }: DeviceConstraints): void {
    const { attached } = this.#use(storage);
    const entry = attached.get(device) ?? { attachments: 0, maps: 0 };
    entry.attachments += 1;
    attached.set(device, entry);
  }

  detach(storage: HeapAllocation, { device }: DeviceConstraints): void {
    const { attached } = this.#use(storage);
    const entry = attached.get(device);
    if (entry === undefined) throw this.refuse('EINVAL', 'dma_buf_detach', `${device} is not attached`);
    if (entry.maps > 0 && entry.attachments === 1) {
      throw this.refuse('EBUSY', 'dma_buf_detach', `${device} has it mapped ${entry.maps} times`);
    }
    entry.attachments -= 1;
    if (entry.attachments === 0) attached.delete(device);
  }

  pin(storage: HeapAllocation): void {
    this.#use(storage).pins += 1;
  }

  unpin(storage: HeapAllocation): void {
    const use = this.#use(storage);
    if (use.pins === 0) throw this.refuse('EINVAL', 'dma_buf_unpin', 'it is not pinned');
    use.pins -= 1;
  }

  mapDmaBuf(storage: HeapAllocation, { device }: DeviceConstraints): SgTable {
    const entry = this.#use(storage).attached.get(device);
    if (entry === undefined) throw this.refuse('EIO', 'dma_buf_map_attachment', `${device} is not attached`);
    entry.maps += 1;
    return storage.sgTable;
  }

  unmapDmaBuf(storage: HeapAllocation, { device }: DeviceConstraints): void {
    const entry = this.#use(storage).attached.get(device);
    if (entry === undefined || entry.maps === 0) {
      throw this.refuse('EINVAL', 'dma_buf_unmap_attachment', `${device} has not mapped it`);
    }
    entry.maps -= 1;
  }

  beginCpuAccess(storage: HeapAllocation, _direction: CpuAccessDirection): Nanoseconds {
    return this.maintenanceNs(storage);
  }

  endCpuAccess(storage: HeapAllocation, _direction: CpuAccessDirection): Nanoseconds {
    return this.maintenanceNs(storage);
  }

  mmap(storage: HeapAllocation): SgTable {
    return storage.sgTable;
  }

  vmap(storage: HeapAllocation): SgTable {
    this.#use(storage).vmaps += 1;
    return storage.sgTable;
  }

  vunmap(storage: HeapAllocation): void {
    const use = this.#use(storage);
    if (use.vmaps === 0) throw this.refuse('EINVAL', 'dma_buf_vunmap', 'it is not mapped by the kernel');
    use.vmaps -= 1;
  }

  release(storage: HeapAllocation): void {
    const use = this.#use(storage);
    if (use.attached.size > 0) {
      throw this.refuse('EBUSY', 'dma_buf_release', `${[...use.attached.keys()].join(', ')} is still attached`);
    }
    this.free(storage);
    this.#uses.delete(storage);
  }

  /** Devices attached to a storage, for reports and tests. */
  attachedTo(storage: HeapAllocation): string[] {
    return [...(this.#uses.get(storage)?.attached.keys() ?? [])];
  }

  protected maintenanceNs(storage: HeapAllocation): Nanoseconds {
    return this.cache === 'uncached' ? 0 : (storage.sgTable.lengthBytes / PAGE_SIZE) * CACHE_MAINTENANCE_PAGE_NS;
  }

  protected refuse(code: 'EINVAL' | 'EBUSY' | 'EIO' | 'EPERM' | 'EOPNOTSUPP', op: string, reason: string): ErrnoError {
    return new ErrnoError(code, op, `Cannot use a buffer of heap ${this.heap}: ${reason}`, { heap: this.heap });
  }

  #use(storage: HeapAllocation): StorageUse {
    const known = this.#uses.get(storage);
    if (known !== undefined) return known;
    const use: StorageUse = { attached: new Map(), vmaps: 0, pins: 0 };
    this.#uses.set(storage, use);
    return use;
  }
}

/** Protected memory: only devices that are allowed in, and never the CPU. */
export class ProtectedOps extends PageOps {
  override attach(storage: HeapAllocation, c: DeviceConstraints): void {
    if (c.protected === undefined) {
      throw this.refuse('EPERM', 'dma_buf_attach', `${c.device} is not allowed into protected memory`);
    }
    super.attach(storage, c);
  }

  override beginCpuAccess(): Nanoseconds {
    throw this.refuse('EPERM', 'dma_buf_begin_cpu_access', 'it is protected from the CPU');
  }

  override endCpuAccess(): Nanoseconds {
    throw this.refuse('EPERM', 'dma_buf_end_cpu_access', 'it is protected from the CPU');
  }

  override mmap(): SgTable {
    throw this.refuse('EPERM', 'dma_buf_mmap', 'it is protected from the CPU');
  }

  override vmap(): SgTable {
    throw this.refuse('EPERM', 'dma_buf_vmap', 'it is protected from the CPU');
  }
}

/** What `DeviceLocalOps` needs to know of the memory. */
export interface LocalMemory {
  readonly owner: string;
  /** Bridges on the way from each peer; who is not listed has no path. */
  readonly distances: Readonly<Record<string, number>>;
  /** Whether the BAR shows all of a storage. */
  isVisible(storage: HeapAllocation): boolean;
}

/**
 * Device-local memory: its owner maps all of it, a peer what the BAR shows and its distance allows, the CPU likewise.
 *
 * Source: amdgpu_dma_buf_attach (pci_p2pdma_distance), drivers/gpu/drm/amd/amdgpu/amdgpu_dma_buf.c, v6.12. Differs: amdgpu
 * then moves the buffer to GTT; here that is the exporter's business.
 */
export class DeviceLocalOps extends PageOps {
  constructor(
    heap: string,
    free: (storage: HeapAllocation) => void,
    private readonly local: LocalMemory,
  ) {
    super(heap, free, 'uncached');
  }

  override attach(storage: HeapAllocation, c: DeviceConstraints): void {
    if (c.device !== this.local.owner) this.#checkPath(storage, c);
    super.attach(storage, c);
  }

  override mmap(storage: HeapAllocation): SgTable {
    this.#checkVisible(storage, 'dma_buf_mmap');
    return super.mmap(storage);
  }

  override vmap(storage: HeapAllocation): SgTable {
    this.#checkVisible(storage, 'dma_buf_vmap');
    return super.vmap(storage);
  }

  override beginCpuAccess(storage: HeapAllocation, direction: CpuAccessDirection): Nanoseconds {
    this.#checkVisible(storage, 'dma_buf_begin_cpu_access');
    return super.beginCpuAccess(storage, direction);
  }

  override endCpuAccess(storage: HeapAllocation, direction: CpuAccessDirection): Nanoseconds {
    this.#checkVisible(storage, 'dma_buf_end_cpu_access');
    return super.endCpuAccess(storage, direction);
  }

  #checkPath(storage: HeapAllocation, { device, peerToPeerDistance }: DeviceConstraints): void {
    const distance = this.local.distances[device] ?? -1;
    const refuse = (reason: string): never => {
      throw this.refuse('EOPNOTSUPP', 'dma_buf_attach', `${device} ${reason}`);
    };
    if (peerToPeerDistance === undefined) refuse('does not map memory of other devices');
    else if (peerToPeerDistance < Number.MAX_SAFE_INTEGER && (distance < 0 || distance > peerToPeerDistance)) {
      refuse(
        distance < 0 ? `has no path to ${this.local.owner}` : `is ${distance} bridges away from ${this.local.owner}`,
      );
    } else if (!this.local.isVisible(storage)) refuse('does not see it through the BAR');
  }

  #checkVisible(storage: HeapAllocation, op: string): void {
    if (!this.local.isVisible(storage)) throw this.refuse('EINVAL', op, 'the BAR does not show all of it');
  }
}
