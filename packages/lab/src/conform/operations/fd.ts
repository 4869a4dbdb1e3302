/** Operations on any descriptor. */

import { ErrnoError } from '@dmabuf-lab/core/base';
import { addSealsTo, EventFile, MemfdFile, O, POLL, SEEK } from '@dmabuf-lab/uapi';
import { z } from 'zod';
import type { CaseContext } from '../case-context.js';
import { answered, type Operation, operation, returnedFd } from '../operation.js';
import { count, flags, hexBytes, integer, low32, namesOf, toHex } from '../values.js';
import { descriptor, descriptorIn, mapping, openFlags, RDWR_CLOEXEC } from './arguments.js';

const SHOWN_BYTES = 64;
const IOCTL_AREA_BYTES = 256;
/** Block size that stat(2) tells of a file. */
const BLOCK_BYTES = 4096;
const F_SEALS = { SEAL: 1, SHRINK: 2, GROW: 4, WRITE: 8, FUTURE_WRITE: 16, EXEC: 32 };
const MFD_NAMES = { CLOEXEC: 1, ALLOW_SEALING: 2, HUGETLB: 4, NOEXEC_SEAL: 8, EXEC: 16 };
/** What the harness calls every memfd. */
const MEMFD_NAME = 'm';
const ACCESS = ['RDONLY', 'WRONLY', 'RDWR', 'RDWR'];

const events = flags(POLL);
const any = z.looseObject(descriptor);
type Any = z.infer<typeof any>;

const fdOf = (context: CaseContext, given: Any): number => context.fd(descriptorIn(given));

const io = any.extend({ offset: integer.optional() });

export const fdOperations: Readonly<Record<string, Operation>> = {
  'fd.dup': operation(any, (context, given) => returnedFd(context.process.dup(fdOf(context, given)))),
  'fd.close': operation(any, (context, given) => {
    context.process.close(fdOf(context, given));
    return answered({ ret: 0 });
  }),
  'fd.passScm': operation(any, (context, given) =>
    returnedFd(context.process.pass(fdOf(context, given), context.process)),
  ),
  'fd.reopen': operation(any.extend({ flags: openFlags.default(RDWR_CLOEXEC) }), (context, given) =>
    returnedFd(context.process.reopen(fdOf(context, given), low32(given.flags))),
  ),
  'fd.open': operation(z.looseObject({ path: z.string(), flags: openFlags.default(RDWR_CLOEXEC) }), (context, given) =>
    returnedFd(context.process.open(given.path, low32(given.flags))),
  ),
  'fd.eventfd': operation(z.looseObject({}), ({ process, kernel }) =>
    returnedFd(process.install(new EventFile(kernel, O.NONBLOCK), O.CLOEXEC)),
  ),
  'fd.seek': operation(
    any.extend({ offset: integer.default(0n), whence: flags(SEEK).default(BigInt(SEEK.SET)) }),
    (context, given) =>
      answered({
        ret: context.process.seek(fdOf(context, given), BigInt.asIntN(64, given.offset), low32(given.whence) | 0),
      }),
  ),
  'fd.size': operation(any, (context, given) => {
    const inode = context.process.stat(fdOf(context, given));
    const { sizeBytes: size, blocks } = inode;
    const mode = inode.mode.toString(8).padStart(6, '0');
    return answered({ ret: 0, size, blocks, blksize: inode.blockBytes ?? BLOCK_BYTES, nlink: inode.links ?? 1, mode });
  }),
  'fd.flags': operation(any, (context, given) => {
    const { process } = context;
    const fd = fdOf(context, given);
    const file = process.fds.file(fd, 'fcntl');
    const access = ACCESS[file.flags & O.ACCMODE];
    return answered({ ret: 0, access, cloexec: process.fds.closesOnExec(fd), nonblock: file.nonblocking });
  }),
  'fd.fdinfo': operation(any, (context, given) => fdinfo(context, fdOf(context, given))),
  'fd.link': operation(any, (context, given) => {
    const fd = fdOf(context, given);
    if (!context.process.fds.has(fd)) return answered({ errno: 'ENOENT' });
    return answered({ ret: 0, target: context.process.fds.file(fd, 'readlink').linkTarget });
  }),
  'fd.same': operation(any.extend({ fd2: descriptor.fd }), (context, given) => {
    const a = context.process.fds.file(fdOf(context, given), 'kcmp');
    const b = context.process.fds.file(context.fd(given.fd2), 'kcmp');
    return answered({ ret: 0, sameFile: a === b, sameInode: a.inode.number === b.inode.number });
  }),
  'fd.read': operation(
    io.extend({ len: count.default(16), noData: z.unknown().optional() }),
    function* (context, given) {
      const bytes = yield* context.process.read(fdOf(context, given), given.len, given.offset);
      const ret = bytes.length;
      return answered(given.noData ? { ret } : { ret, hex: toHex(bytes.subarray(0, SHOWN_BYTES)) });
    },
  ),
  'fd.write': operation(io.extend({ hex: hexBytes.default(() => new Uint8Array(1)) }), function* (context, given) {
    return answered({ ret: yield* context.process.write(fdOf(context, given), given.hex, given.offset) });
  }),
  'fd.ftruncate': operation(any.extend({ len: integer.default(0n) }), (context, given) => {
    context.process.truncate(fdOf(context, given), BigInt.asIntN(64, given.len));
    return answered({ ret: 0 });
  }),
  'fd.fallocate': operation(
    any.extend({ mode: count.default(0), offset: integer.default(0n), len: integer.default(0n) }),
    (context, given) => {
      context.process.fallocate(
        fdOf(context, given),
        given.mode,
        BigInt.asIntN(64, given.offset),
        BigInt.asIntN(64, given.len),
      );
      return answered({ ret: 0 });
    },
  ),
  'fd.fsync': operation(any, (context, given) => {
    context.process.fsync(fdOf(context, given));
    return answered({ ret: 0 });
  }),
  'fd.fchmod': operation(any.extend({ mode: count.default(0o600) }), (context, given) => {
    context.process.chmod(fdOf(context, given), given.mode);
    return answered({ ret: 0 });
  }),
  'fd.setNonblock': operation(any.extend({ on: z.union([count, z.boolean()]).default(1) }), (context, given) => {
    context.process.setNonblocking(fdOf(context, given), given.on !== 0 && given.on !== false);
    return answered({ ret: 0 });
  }),
  'fd.poll': operation(
    any.extend({
      events: events.default(BigInt(POLL.IN)),
      timeoutMs: z.number().default(0),
      fds: z.array(any.extend({ events: events.default(BigInt(POLL.IN)) })).optional(),
    }),
    function* (context, given) {
      const list = given.fds ?? [given];
      const items = list.map((one) => ({ fd: fdOf(context, one), events: low32(one.events) }));
      const ready = yield* context.process.poll(items, given.timeoutMs);
      const names = ready.map((mask) => namesOf(mask, POLL));
      return answered({
        ret: ready.filter((mask) => mask !== 0).length,
        revents: given.fds === undefined ? names[0] : names,
      });
    },
  ),
  'fd.mmap': operation(any.extend(mapping), (context, given) => {
    const { len, prot, flags: how } = given;
    const offset = typeof given.offset === 'string' ? context.number(given.offset) : given.offset;
    const address = context.process.mmap(fdOf(context, given), len, offset, low32(prot), low32(how));
    return { answer: { ret: 'map' }, bind: { map: { address, lengthBytes: Number(len) } } };
  }),
  'fd.ioctl': operation(
    any.extend({
      request: integer.default(0n),
      arg: hexBytes.nullable().default(() => new Uint8Array(0)),
      showArg: z.unknown().optional(),
    }),
    function* (context, given) {
      const { process } = context;
      const area = new Uint8Array(IOCTL_AREA_BYTES);
      if (given.arg !== null) area.set(given.arg);
      const address = given.arg === null ? 0n : process.user.put(area);
      const ret = yield* process.ioctl(fdOf(context, given), low32(given.request), address);
      return answered(
        given.showArg && given.arg?.length ? { ret, arg: toHex(area.subarray(0, given.arg?.length ?? 0)) } : { ret },
      );
    },
  ),
  'memfd.create': operation(
    z.looseObject({
      size: integer.default(0n),
      flags: flags(MFD_NAMES).default(BigInt(MFD_NAMES.CLOEXEC | MFD_NAMES.ALLOW_SEALING)),
    }),
    ({ process, kernel }, given, { as }) => {
      const how = low32(given.flags);
      const file = MemfdFile.create(kernel, MEMFD_NAME, how);
      const fd = process.install(file, (how & MFD_NAMES.CLOEXEC) !== 0 ? O.CLOEXEC : 0);
      if (as === undefined) return returnedFd(fd);
      try {
        process.truncate(fd, BigInt.asIntN(64, given.size));
      } catch (error) {
        if (!(error instanceof ErrnoError)) throw error;
        return { answer: { ret: 'fd', truncateErrno: error.code }, bind: { fd } };
      }
      return returnedFd(fd);
    },
  ),
  'memfd.seal': operation(any.extend({ seals: flags(F_SEALS).default(0n) }), (context, given) => {
    addSealsTo(context.process.fds.file(fdOf(context, given), 'fcntl'), low32(given.seals));
    return answered({ ret: 0 });
  }),
  'memfd.seals': operation(any, (context, given) => {
    return answered({ ret: 0, seals: namesOf(memfdOf(context, given).content.seals, F_SEALS) });
  }),
};

function memfdOf(context: CaseContext, given: Any): MemfdFile {
  const file = context.process.fds.file(fdOf(context, given), 'fcntl');
  if (file instanceof MemfdFile) return file;
  throw new ErrnoError('EINVAL', 'fcntl', 'Cannot seal: it is no memfd');
}

/** /proc/self/fdinfo/N; a descriptor that is not open has no such file. */
function fdinfo({ process }: CaseContext, fd: number) {
  if (!process.fds.has(fd)) return answered({ errno: 'ENOENT' });
  const file = process.fds.file(fd, 'fdinfo');
  const cloexec = process.fds.closesOnExec(fd) ? O.CLOEXEC : 0;
  const word = (file.flags | cloexec).toString(8);
  const { name, ...others } = file.fdinfo();
  const shown = name === undefined ? others : { ...others, name: firstLine(String(name)) };
  return answered({ ret: 0, pos: file.position, flags: `0${word}`, ...shown });
}

/** What a reader of lines takes for the value: without blanks before it, and without what a name adds after its first line. */
const firstLine = (value: string): string => value.replace(/^[\t ]+/, '').split('\n', 1)[0];
