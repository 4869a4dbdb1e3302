/** dma-heap, dma-buf, sync_file and udmabuf. */

import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
import {
  DMA_BUF_IOCTL_EXPORT_SYNC_FILE,
  DMA_BUF_IOCTL_IMPORT_SYNC_FILE,
  DMA_BUF_IOCTL_SYNC,
  DMA_BUF_SET_NAME_A,
  DMA_BUF_SET_NAME_B,
  DMA_BUF_SYNC,
  DMA_HEAP_IOCTL_ALLOC,
  type Process,
  SYNC_IOC_FILE_INFO,
  SYNC_IOC_MERGE,
  SYNC_IOC_SET_DEADLINE,
  syncFenceInfo,
  UDMABUF_CREATE,
  UDMABUF_CREATE_LIST,
  UDMABUF_FLAGS,
  udmabufCreateItem,
  udmabufCreateList,
} from '@dmabuf-lab/uapi';
import { z } from 'zod';
import { answered, newFd, type Operation, type Outcome, operation, returnedFd } from '../operation.js';
import { count, flags, integer, low32, low64, reference } from '../values.js';
import { descriptor, descriptorIn, openFlags, RDWR_CLOEXEC } from './arguments.js';

/** A list of more items than a step gives finds these empty, and then memory that is no items. */
const EMPTY_ITEMS = 4;
/** As many as the device takes. */
const MOST_ITEMS = 1024;

const syncFlags = flags(DMA_BUF_SYNC);

const target = z.looseObject(descriptor);

export const bufferOperations: Readonly<Record<string, Operation>> = {
  'heap.open': operation(
    z.looseObject({ name: z.string().default('system'), flags: openFlags.default(RDWR_CLOEXEC) }),
    ({ process }, { name, flags: how }) => returnedFd(process.open(`/dev/dma_heap/${name}`, low32(how))),
  ),
  'heap.alloc': operation(
    target.extend({
      len: integer.default(0n),
      fdFlags: openFlags.default(RDWR_CLOEXEC),
      heapFlags: flags({}).default(0n),
      fdIn: integer.default(0n),
    }),
    function* (context, given) {
      const fd = context.fd(given.heap);
      const data = yield* context.process.command(fd, DMA_HEAP_IOCTL_ALLOC, {
        len: low64(given.len),
        fd: low32(given.fdIn),
        fd_flags: low32(given.fdFlags),
        heap_flags: low64(given.heapFlags),
      });
      return newFd(data.fd, { len: Number(data.len) });
    },
  ),
  'buf.sync': operation(target.extend({ flags: syncFlags.default(0n) }), function* (context, given) {
    const fd = context.fd(descriptorIn(given));
    yield* context.process.command(fd, DMA_BUF_IOCTL_SYNC, { flags: low64(given.flags) });
    return answered({ ret: 0 });
  }),
  'buf.setName': operation(
    target.extend({ name: z.string().nullable().default(null), variant: count.default(66) }),
    function* (context, given) {
      const { process } = context;
      const fd = context.fd(descriptorIn(given));
      const { number } = given.variant === 65 ? DMA_BUF_SET_NAME_A : DMA_BUF_SET_NAME_B;
      const address = given.name === null ? 0n : process.user.put(cString(given.name));
      return answered({ ret: yield* process.ioctl(fd, number, address) });
    },
  ),
  'buf.exportSyncFile': operation(
    target.extend({ flags: syncFlags.default(0n), fdIn: integer.default(-7n) }),
    function* (context, given) {
      const fd = context.fd(descriptorIn(given));
      const data = yield* context.process.command(fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, {
        flags: low32(given.flags),
        fd: Number(given.fdIn),
      });
      return newFd(data.fd);
    },
  ),
  'buf.importSyncFile': operation(
    z.looseObject({ buf: reference.optional(), sync: reference.optional(), flags: syncFlags.default(0n) }),
    function* (context, given) {
      yield* context.process.command(context.fd(given.buf), DMA_BUF_IOCTL_IMPORT_SYNC_FILE, {
        flags: low32(given.flags),
        fd: context.fd(given.sync),
      });
      return answered({ ret: 0 });
    },
  ),
  'sync.merge': operation(
    target.extend({
      fd2: reference.optional(),
      name: z.string().default(''),
      flags: integer.default(0n),
      pad: integer.default(0n),
    }),
    function* (context, given) {
      const data = yield* context.process.command(context.fd(descriptorIn(given)), SYNC_IOC_MERGE, {
        name: Buffer.from(given.name).subarray(0, 32).toString('latin1'),
        fd2: context.fd(given.fd2),
        flags: low32(given.flags),
        pad: low32(given.pad),
      });
      return newFd(data.fence);
    },
  ),
  'sync.info': operation(
    target.extend({
      numFences: count.optional(),
      flags: integer.default(0n),
      pad: integer.default(0n),
    }),
    function* (context, given) {
      const fd = context.fd(descriptorIn(given));
      const words = { flags: low32(given.flags), pad: low32(given.pad) };
      if (given.numFences !== undefined) return yield* fileInfo(context.process, fd, given.numFences, words);
      const first = yield* fileInfo(context.process, fd, 0, words);
      if ('errno' in first.answer) return first;
      return yield* fileInfo(context.process, fd, Number(first.answer.numFences), words);
    },
  ),
  'sync.setDeadline': operation(
    target.extend({ ns: integer.default(0n), pad: integer.default(0n) }),
    function* (context, given) {
      yield* context.process.command(context.fd(descriptorIn(given)), SYNC_IOC_SET_DEADLINE, {
        deadline_ns: low64(given.ns),
        pad: low64(given.pad),
      });
      return answered({ ret: 0 });
    },
  ),
  'udmabuf.open': operation(z.looseObject({ flags: openFlags.default(RDWR_CLOEXEC) }), ({ process }, given) =>
    returnedFd(process.open('/dev/udmabuf', low32(given.flags))),
  ),
  'udmabuf.create': operation(
    z.looseObject({
      dev: reference.optional(),
      memfd: reference.optional(),
      offset: integer.default(0n),
      size: integer.default(4096n),
      flags: flags(UDMABUF_FLAGS).default(BigInt(UDMABUF_FLAGS.CLOEXEC)),
    }),
    function* (context, given) {
      const { process } = context;
      const bytes = UDMABUF_CREATE.struct.encode({
        memfd: low32(BigInt(context.fd(given.memfd))),
        flags: low32(given.flags),
        offset: low64(given.offset),
        size: low64(given.size),
      });
      return returnedFd(yield* process.ioctl(context.fd(given.dev), UDMABUF_CREATE.number, process.user.put(bytes)));
    },
  ),
  'udmabuf.createList': operation(
    z.looseObject({
      dev: reference.optional(),
      items: z
        .array(
          z.looseObject({
            memfd: reference.optional(),
            offset: integer.default(0n),
            size: integer.default(4096n),
            pad: integer.default(0n),
          }),
        )
        .default([]),
      count: integer.optional(),
      flags: flags(UDMABUF_FLAGS).default(BigInt(UDMABUF_FLAGS.CLOEXEC)),
    }),
    function* (context, given) {
      const { process } = context;
      const { size } = udmabufCreateItem;
      const bytes = new Uint8Array(udmabufCreateList.size + Math.max(MOST_ITEMS, given.items.length) * size);
      const list = low32(given.count ?? BigInt(given.items.length));
      bytes.set(udmabufCreateList.encode({ flags: low32(given.flags), count: list }));
      for (const [i, item] of given.items.entries()) {
        const memfd = low32(BigInt(context.fd(item.memfd)));
        const words = { memfd, __pad: low32(item.pad), offset: low64(item.offset), size: low64(item.size) };
        bytes.set(udmabufCreateItem.encode(words), udmabufCreateList.size + i * size);
      }
      for (let i = given.items.length + EMPTY_ITEMS; i < MOST_ITEMS; i += 1) {
        bytes.set(udmabufCreateItem.encode({ offset: 1n }), udmabufCreateList.size + i * size);
      }
      return returnedFd(
        yield* process.ioctl(context.fd(given.dev), UDMABUF_CREATE_LIST.number, process.user.put(bytes)),
      );
    },
  ),
};

const cString = (text: string): Uint8Array => Uint8Array.from([...Buffer.from(text), 0]);

/** Context numbers differ from run to run; that of the stub does not. */
const CONTEXT = /^(.*\D)(\d+)-(\d+)$/;

/** More than any case has; the kernel writes as many as there are, however much room it is told of. */
const MOST_FENCES = 1024;

/** One SYNC_IOC_FILE_INFO, with room for so many fences. */
function* fileInfo(
  process: Process,
  fd: number,
  room: number,
  words: { readonly flags: number; readonly pad: number },
): Task<Outcome> {
  const bytes = new Uint8Array(Math.min(Math.max(1, low32(BigInt(room))), MOST_FENCES) * syncFenceInfo.size);
  const address = process.user.put(bytes);
  let info: ReturnType<typeof SYNC_IOC_FILE_INFO.struct.decode>;
  try {
    info = yield* process.command(fd, SYNC_IOC_FILE_INFO, {
      ...words,
      num_fences: low32(BigInt(room)),
      sync_fence_info: address,
    });
  } catch (error) {
    if (error instanceof ErrnoError) return answered({ errno: error.code });
    throw error;
  } finally {
    process.user.drop(address);
  }
  const listed = room === 0 ? 0 : info.num_fences;
  const fences = Array.from({ length: listed }, (_, i) => {
    const {
      obj_name,
      driver_name,
      status,
      flags: word,
      timestamp_ns,
    } = syncFenceInfo.decode(bytes.subarray(i * syncFenceInfo.size));
    return {
      driver: driver_name,
      timeline: obj_name,
      status,
      flags: word,
      timestamp: timestamp_ns === 0n ? 'zero' : 'set',
    };
  });
  const name = info.name.replace(CONTEXT, (whole, head, context, seqno) =>
    context === '0' ? whole : `${head}<ctx>-${seqno}`,
  );
  return answered({ ret: 0, name, status: info.status, numFences: info.num_fences, fences });
}
