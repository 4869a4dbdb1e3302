/** The CPU and a dma-buf: the accesses that DMA_BUF_IOCTL_SYNC brackets, and loads and stores. Source: dma-buf.c, v6.12. */
import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
import {
  type CpuView,
  type DataDirection,
  DmaBufCaller,
  type DmaBufObject,
  isCpuWrite,
  type ResvWaiter,
} from '@dmabuf-lab/core/dma-buf';
import { ResvUsage } from '@dmabuf-lab/core/sync';
import { DMA_BUF_IOCTL_SYNC, DMA_BUF_SYNC } from '../abi/dma-buf.js';
import { PAGE_BYTES } from '../abi/fcntl.js';
import type { CpuPort, VmaRequest } from '../kernel/address-space.js';
import type { SimulatedKernel } from '../kernel/kernel.js';
import type { Page } from '../kernel/pages.js';
import type { Process } from '../kernel/process.js';
import { type BufferAccess, type OverlongWait, watchWait } from '../kernel/sync-audit.js';

const OP = DMA_BUF_IOCTL_SYNC.name;
const DIRECTIONS: ReadonlyMap<number, DataDirection> = new Map([
  [DMA_BUF_SYNC.READ, 'from-device'],
  [DMA_BUF_SYNC.WRITE, 'to-device'],
  [DMA_BUF_SYNC.RW, 'bidirectional'],
]);

/** A system call on the file: it holds no reservation. */
export const userSpace = (): DmaBufCaller => new DmaBufCaller('user space');

/** An access between its two SYNC calls. */
interface BracketedAccess {
  readonly direction: DataDirection;
  /** Waits for readers, which only a store makes worth it. */
  readonly forReaders: readonly OverlongWait[];
  hasStored: boolean;
}

/** A cache between the CPU and a buffer. */
export interface CachedPages {
  readonly view: CpuView;
  /** The pages where they are now: the same array as long as they stay. */
  pages(): readonly Page[];
}

export class DmaBufCpuSide {
  readonly #open: BracketedAccess[] = [];
  /** Of mappings of user space. */
  readonly port: CpuPort;

  /** The buffer as the CPU and devices see it through and past a cache; undefined where all see the same. */
  readonly view: CpuView | undefined;
  readonly #indexes = new Map<Page, number>();
  #indexed: readonly Page[] | undefined;

  constructor(
    private readonly kernel: SimulatedKernel,
    private readonly object: DmaBufObject<readonly Page[], VmaRequest>,
    private readonly cached?: CachedPages,
  ) {
    this.view = cached?.view;
    this.port = {
      load: (page, offset, lengthBytes) => {
        this.#touched('a load', 'read');
        const at = this.#offsetOf(page);
        return at === undefined ? undefined : this.view?.read(at + offset, lengthBytes);
      },
      store: (page, offset, bytes) => {
        this.stored();
        const at = this.#offsetOf(page);
        if (at !== undefined) this.view?.write(at + offset, bytes);
        return at !== undefined;
      },
    };
  }

  /** Where a page is in the buffer, in bytes; undefined without a cache, where nobody asks. */
  #offsetOf(page: Page): number | undefined {
    const pages = this.cached?.pages();
    if (pages === undefined) return undefined;
    if (this.#indexed !== pages) {
      this.#indexed = pages;
      this.#indexes.clear();
      for (const [i, one] of pages.entries()) this.#indexes.set(one, i);
    }
    const index = this.#indexes.get(page);
    return index === undefined ? undefined : index * PAGE_BYTES;
  }

  /** The CPU has stored, by whatever mapping. */
  stored(): void {
    this.#touched('a store', 'write');
    for (const access of this.#open) access.hasStored = true;
  }

  #touched(op: string, access: BufferAccess): void {
    this.kernel.syncAudit.goesAhead({ buffer: this.object, who: userSpace().name, op, access });
  }

  /** The sync of dma_buf_ioctl. @throws ErrnoError EINVAL, and what the exporter says */
  *sync(process: Process, flags: bigint): Task<void> {
    const valid = BigInt(DMA_BUF_SYNC.RW | DMA_BUF_SYNC.END);
    const direction = DIRECTIONS.get(Number(flags & BigInt(DMA_BUF_SYNC.RW)));
    if ((flags & ~valid) !== 0n || direction === undefined) {
      throw new ErrnoError('EINVAL', OP, `Cannot sync: flags 0x${flags.toString(16)}`);
    }
    if ((flags & BigInt(DMA_BUF_SYNC.END)) !== 0n) yield* this.#end(direction);
    else yield* this.#begin(process, direction);
  }

  *#begin(process: Process, direction: DataDirection): Task<void> {
    const { kernel, object } = this;
    const isWrite = isCpuWrite(direction);
    const { reservation } = object;
    const readers = { conflictsUpTo: ResvUsage.Write, waitsUpTo: ResvUsage.Read, fromNs: kernel.now() };
    const after = isWrite ? watchWait({ reservation, ...readers }) : (): OverlongWait[] => [];
    yield* object.beginCpuAccess(userSpace(), direction, waitAs(process));
    this.#touched(OP, isWrite ? 'write' : 'read');
    this.#open.push({ direction, forReaders: after(), hasStored: false });
  }

  *#end(direction: DataDirection): Task<void> {
    yield* this.kernel.charged(() => this.object.endCpuAccess(userSpace(), direction));
    const at = this.#open.findLastIndex((access) => access.direction === direction);
    const [access] = at < 0 ? [] : this.#open.splice(at, 1);
    if (access === undefined || access.hasStored) return;
    const use = { buffer: this.object, who: userSpace().name, op: OP, access: 'write' as const };
    for (const wait of access.forReaders) {
      const why = 'which only reads, and then stored nothing until SYNC END';
      this.kernel.syncAudit.waitedTooLong(use, wait, why, 'begin with DMA_BUF_SYNC_READ where nothing is stored');
    }
  }
}

/** Waits as a system call does: until the process is killed. */
export function waitAs(process: Process): ResvWaiter {
  return function* wait(reservation, upTo, what): Task<void> {
    const look = (): true | undefined => (reservation.testSignalled(upTo) ? true : undefined);
    yield* process.wait(look, Number.POSITIVE_INFINITY, what);
  };
}

/** For mappings of the same pages that do not go through the dma-buf: tells its CPU side of stores. */
export function storesOf(shared: () => Iterable<{ readonly cpu: DmaBufCpuSide }>): CpuPort {
  const store = (): boolean => {
    for (const { cpu } of shared()) cpu.stored();
    return false;
  };
  return { load: () => undefined, store };
}
