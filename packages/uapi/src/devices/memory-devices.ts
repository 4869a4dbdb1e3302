/** /dev/null, /dev/zero and /dev/full. Source: drivers/char/mem.c, v6.12. */
import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
import { PAGE_BYTES } from '../abi/fcntl.js';
import { MemoryFile } from '../files/memory-file.js';
import type { VmaRequest } from '../kernel/address-space.js';
import { addDeviceNode, DeviceFile, type DeviceNode } from '../kernel/device-file.js';
import type { SimulatedKernel } from '../kernel/kernel.js';
import type { Process } from '../kernel/process.js';

/** Everybody may use them. */
const MODE = 0o020666;

export function addMemoryNodes(kernel: SimulatedKernel): void {
  for (const Kind of [NullFile, ZeroFile, FullFile]) {
    addDeviceNode(kernel, Kind.path, (node, flags) => new Kind(kernel, node, flags), MODE);
  }
}

/** What all of them do: they take every byte, and have no position. */
abstract class MemoryDeviceFile extends DeviceFile {
  constructor(
    protected readonly kernel: SimulatedKernel,
    node: DeviceNode,
    flags: number,
  ) {
    super(node, flags);
  }

  override get positional(): boolean {
    return true;
  }

  /** Source: null_lseek. */
  override seek(): number {
    return 0;
  }

  override *write(_process: Process, bytes: Uint8Array): Task<number> {
    return bytes.length;
  }
}

class NullFile extends MemoryDeviceFile {
  static readonly path = '/dev/null';

  override *read(): Task<Uint8Array> {
    return new Uint8Array(0);
  }
}

class ZeroFile extends MemoryDeviceFile {
  static readonly path = '/dev/zero';

  override *read(_process: Process, lengthBytes: number): Task<Uint8Array> {
    return new Uint8Array(lengthBytes);
  }

  /** Each mapping has memory of its own. Source: shmem_zero_setup. */
  override mmap(vma: VmaRequest): void {
    const content = new MemoryFile(this.kernel, this.kernel.nextInode(), { sealable: false, executable: true });
    content.sizeBytes = (vma.first + vma.count) * PAGE_BYTES;
    content.opened();
    vma.pager = { page: (index) => content.page(index)?.bytes };
    vma.onOpen = () => content.opened();
    vma.onClose = () => content.closed();
  }
}

class FullFile extends MemoryDeviceFile {
  static readonly path = '/dev/full';

  override *read(_process: Process, lengthBytes: number): Task<Uint8Array> {
    return new Uint8Array(lengthBytes);
  }

  override write(): Task<number> {
    throw new ErrnoError('ENOSPC', 'write', 'Cannot write: the device is full');
  }
}
