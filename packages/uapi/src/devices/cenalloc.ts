/**
 * /dev/cenalloc: a dma-buf without storage, for which the devices that attach decide where it lies.
 *
 * Create is all it has. Source: "cenalloc: Constraint-Enabled Allocation helpers for dma-buf", RFC of October 2014, whose
 * create is a call within the kernel; the checks are those of drivers/dma-buf/dma-heap.c, v6.12.
 */
import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
import { MAX_ALIGNMENT_BYTES } from '@dmabuf-lab/core/constraints';
import type { DmaHeap } from '@dmabuf-lab/core/dma-buf';
import type { PhysicalMemory } from '@dmabuf-lab/core/memory';
import { CENALLOC_IOCTL_CREATE, cenallocCreate } from '../abi/cenalloc.js';
import { O, PAGE_BYTES } from '../abi/fcntl.js';
import { DmaBufFile } from '../files/dma-buf.js';
import { addDeviceNode, DeviceFile, type DeviceNode } from '../kernel/device-file.js';
import type { SimulatedKernel } from '../kernel/kernel.js';
import type { IoctlCall } from '../kernel/open-file.js';
import type { Process } from '../kernel/process.js';
import { CenallocBuffer } from './cenalloc-buffer.js';
import { CenallocStorage } from './cenalloc-storage.js';

const VALID_FD_FLAGS = O.CLOEXEC | O.ACCMODE;
/** What a buffer can count: 2^53 bytes. */
const MAX_BYTES = BigInt(Number.MAX_SAFE_INTEGER - PAGE_BYTES);
const NS_PER_S = 1_000_000_000;

export interface CenallocOptions {
  /** To choose from, in the order in which equals are preferred. */
  readonly heaps: readonly DmaHeap[];
  /** What the pages of the heaps are bytes of. */
  readonly memory: PhysicalMemory;
  /** What a move copies. */
  readonly copyBytesPerSecond: number;
}

export function addCenallocNode(kernel: SimulatedKernel, options: CenallocOptions): void {
  const { heaps, memory, copyBytesPerSecond } = options;
  const allocator: Allocator = { storage: new CenallocStorage(heaps, memory), copyBytesPerSecond };
  addDeviceNode(kernel, '/dev/cenalloc', (node, flags) => new CenallocFile(kernel, allocator, node, flags));
}

interface Allocator {
  readonly storage: CenallocStorage;
  readonly copyBytesPerSecond: number;
}

class CenallocFile extends DeviceFile {
  constructor(
    private readonly kernel: SimulatedKernel,
    private readonly allocator: Allocator,
    node: DeviceNode,
    flags: number,
  ) {
    super(node, flags);
  }

  override *ioctl(call: IoctlCall): Task<number> {
    const { process, command, argument } = call;
    if (command !== CENALLOC_IOCTL_CREATE.number) return yield* super.ioctl(call);
    const op = CENALLOC_IOCTL_CREATE.name;
    const data = process.user.readStruct(argument, cenallocCreate, op);
    data.fd = this.#create(process, data);
    process.user.writeStruct(argument, cenallocCreate, data, op);
    return 0;
  }

  #create(process: Process, given: ReturnType<typeof cenallocCreate.decode>): number {
    check(given);
    const { kernel, allocator } = this;
    const sizeBytes = Math.ceil(Number(given.len) / PAGE_BYTES) * PAGE_BYTES;
    const copyNs = Math.ceil((sizeBytes / allocator.copyBytesPerSecond) * NS_PER_S);
    const creator = { device: 'the creator', ...(given.align > 1n && { alignmentBytes: Number(given.align) }) };
    const buffer = new CenallocBuffer(kernel, allocator.storage, { sizeBytes, creator, copyNs });
    return process.install(new DmaBufFile(kernel, buffer, given.fd_flags & O.ACCMODE), given.fd_flags);
  }
}

/** @throws ErrnoError EINVAL */
function check({ len, align, fd, fd_flags, flags }: ReturnType<typeof cenallocCreate.decode>): void {
  const refuse = (what: string): ErrnoError =>
    new ErrnoError('EINVAL', CENALLOC_IOCTL_CREATE.name, `Cannot create a buffer: ${what}`);
  if (fd !== 0) throw refuse(`fd must be 0, got ${fd}`);
  if ((fd_flags & ~VALID_FD_FLAGS) !== 0) throw refuse(`fd_flags 0x${fd_flags.toString(16)} are not valid`);
  if (flags !== 0n) throw refuse(`flags must be 0, got 0x${flags.toString(16)}`);
  if (len === 0n || len > MAX_BYTES) throw refuse(`the length ${len} is no length`);
  if (align > BigInt(MAX_ALIGNMENT_BYTES) || (align & (align - 1n)) !== 0n) {
    throw refuse(`align must be 0 or a power of two up to ${MAX_ALIGNMENT_BYTES}, got ${align}`);
  }
}
