/** /dev/udmabuf: a dma-buf of the pages of memfds. Source: drivers/dma-buf/udmabuf.c, v6.12. */
import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
import { F_SEAL, O, PAGE_BYTES } from '../abi/fcntl.js';
import {
  UDMABUF_CREATE,
  UDMABUF_CREATE_LIST,
  UDMABUF_FLAGS,
  udmabufCreate,
  udmabufCreateItem,
  udmabufCreateList,
} from '../abi/udmabuf.js';
import { DmaBufFile } from '../files/dma-buf.js';
import { MemfdFile } from '../files/memfd.js';
import type { FilePage } from '../files/memory-file.js';
import { addDeviceNode, DeviceFile, type DeviceNode } from '../kernel/device-file.js';
import type { SimulatedKernel } from '../kernel/kernel.js';
import type { IoctlCall, OpenFile } from '../kernel/open-file.js';
import type { Process } from '../kernel/process.js';

/** Most entries of a list. Source: list_limit. */
const LIST_LIMIT = 1024;
/** Most pages of a buffer. Source: size_limit_mb. */
const SIZE_LIMIT_PAGES = (64 * 2 ** 20) / PAGE_BYTES;

interface Item {
  readonly memfd: number;
  readonly offset: bigint;
  readonly size: bigint;
}

export function addUdmabufNode(kernel: SimulatedKernel): void {
  addDeviceNode(kernel, '/dev/udmabuf', (node, flags) => new UdmabufFile(kernel, node, flags));
}

class UdmabufFile extends DeviceFile {
  constructor(
    private readonly kernel: SimulatedKernel,
    node: DeviceNode,
    flags: number,
  ) {
    super(node, flags);
  }

  override get positional(): boolean {
    return true;
  }

  override *ioctl({ process, command, argument }: IoctlCall): Task<number> {
    if (command === UDMABUF_CREATE.number) {
      const { flags, memfd, offset, size } = process.user.readStruct(argument, udmabufCreate, UDMABUF_CREATE.name);
      return this.#create(process, flags, [{ memfd, offset, size }]);
    }
    if (command === UDMABUF_CREATE_LIST.number) {
      const op = UDMABUF_CREATE_LIST.name;
      const { flags, count } = process.user.readStruct(argument, udmabufCreateList, op);
      if (count > LIST_LIMIT) throw refusal(`a list of ${count} is longer than ${LIST_LIMIT}`);
      const from = argument + BigInt(udmabufCreateList.size);
      const bytes = process.user.read(from, count * udmabufCreateItem.size, op);
      const items = Array.from({ length: count }, (_, i) =>
        udmabufCreateItem.decode(bytes.subarray(i * udmabufCreateItem.size)),
      );
      return this.#create(process, flags, items);
    }
    return yield* super.ioctl({ process, command, argument });
  }

  /** Source: udmabuf_create. @returns the descriptor */
  #create(process: Process, flags: number, items: readonly Item[]): number {
    checkItems(items);
    const pages: FilePage[] = [];
    try {
      for (const item of items) pages.push(...pagesOf(process, item));
    } catch (error) {
      for (const page of pages) page.drop();
      throw error;
    }
    const buffer = new DmaBufFile(this.kernel, exporterOf(pages), O.RDWR);
    return process.install(buffer, (flags & UDMABUF_FLAGS.CLOEXEC) === 0 ? 0 : O.CLOEXEC);
  }
}

function checkItems(items: readonly Item[]): void {
  let pages = 0n;
  for (const { offset, size } of items) {
    if (offset % BigInt(PAGE_BYTES) !== 0n) throw refusal(`the offset ${offset} is not whole pages`);
    if (size % BigInt(PAGE_BYTES) !== 0n) throw refusal(`the size ${size} is not whole pages`);
    pages += size / BigInt(PAGE_BYTES);
    if (pages > BigInt(SIZE_LIMIT_PAGES)) throw refusal(`${pages} pages are more than ${SIZE_LIMIT_PAGES}`);
  }
  if (pages === 0n) throw refusal('there are no pages');
}

/** Holds the pages of a range. Source: memfd_pin_folios, check_memfd_seals. @throws ErrnoError EBADFD, EINVAL, ENOMEM */
function pagesOf(process: Process, { memfd, offset, size }: Item): FilePage[] {
  const file = descriptorOf(process, memfd);
  if (!(file instanceof MemfdFile))
    throw new ErrnoError('EBADFD', UDMABUF_CREATE.name, 'Cannot use the file: it is no memfd');
  const { content } = file;
  if (!content.isSealed(F_SEAL.SHRINK)) throw refusal('the memfd is not sealed against shrinking');
  if (content.isSealed(F_SEAL.WRITE | F_SEAL.FUTURE_WRITE)) throw refusal('the memfd is sealed against writing');
  const start = BigInt.asIntN(64, offset);
  const last = BigInt.asIntN(64, offset + size - 1n);
  if (start < 0n || start > last) throw refusal('the range has no pages');
  if (last >= BigInt(content.sizeBytes)) throw refusal('the range ends beyond the memfd');
  const first = Number(start) / PAGE_BYTES;
  const count = Number(size) / PAGE_BYTES;
  const pages: FilePage[] = [];
  try {
    for (let index = first; index < first + count; index += 1) pages.push(content.allocate(index).hold());
  } catch (error) {
    for (const held of pages) held.drop();
    throw error;
  }
  return pages;
}

/** Source: fget in udmabuf_create. */
function descriptorOf(process: Process, fd: number): OpenFile | undefined {
  return process.fds.has(fd) ? process.fds.file(fd, UDMABUF_CREATE.name) : undefined;
}

function exporterOf(pages: readonly FilePage[]): ConstructorParameters<typeof DmaBufFile>[1] {
  let isMappedForCpu = false;
  return {
    name: 'udmabuf',
    sizeBytes: pages.length * PAGE_BYTES,
    release: () => {
      for (const page of pages) page.drop();
    },
    vmap: () => pages.map(({ bytes }) => bytes),
    mmap: (vma) => {
      if (!vma.shared && vma.mayWrite)
        throw new ErrnoError('EINVAL', 'mmap', 'Cannot map privately: a udmabuf is shared');
      vma.fixedLength = true;
      vma.pager = { page: (index) => pages[index]?.bytes };
    },
    beginCpuAccess: () => {
      isMappedForCpu = true;
    },
    endCpuAccess: () => {
      if (!isMappedForCpu) throw refusal('CPU access has not begun', 'DMA_BUF_IOCTL_SYNC');
    },
  };
}

function refusal(reason: string, op: string = UDMABUF_CREATE.name): ErrnoError {
  return new ErrnoError('EINVAL', op, `Cannot make a udmabuf: ${reason}`);
}
