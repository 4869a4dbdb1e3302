/** Arguments that many operations take. */
import { MAP, O, PROT } from '@dmabuf-lab/uapi';
import { z } from 'zod';
import { flags, integer, reference } from '../values.js';

/** A descriptor by any of the keys that name one; the first that is there counts. */
export const descriptor = {
  fd: reference.optional(),
  buf: reference.optional(),
  sync: reference.optional(),
  heap: reference.optional(),
  dev: reference.optional(),
  drm: reference.optional(),
  video: reference.optional(),
  memfd: reference.optional(),
};

type Descriptors = { readonly [K in keyof typeof descriptor]?: z.infer<typeof reference> };

/** The descriptor that a step is about. */
export function descriptorIn(given: Descriptors): z.infer<typeof reference> | undefined {
  const { fd, buf, sync, heap, dev, drm, video, memfd } = given;
  return fd ?? buf ?? sync ?? heap ?? dev ?? drm ?? video ?? memfd;
}

export const OPEN_NAMES: Readonly<Record<string, number>> = {
  RDONLY: O.RDONLY,
  WRONLY: O.WRONLY,
  RDWR: O.RDWR,
  CLOEXEC: O.CLOEXEC,
  NONBLOCK: O.NONBLOCK,
  APPEND: O.APPEND,
  TRUNC: O.TRUNC,
  CREAT: O.CREAT,
  EXCL: O.EXCL,
};
export const openFlags = flags(OPEN_NAMES);
/** What open takes when nothing is said. */
export const RDWR_CLOEXEC = BigInt(O.RDWR | O.CLOEXEC);

export const protection = flags({ READ: PROT.READ, WRITE: PROT.WRITE, EXEC: PROT.EXEC, NONE: PROT.NONE });
export const mapFlags = flags(MAP);

/** What mmap takes. */
export const mapping = {
  len: integer.default(4096n),
  offset: z.union([integer, z.string()]).default(0n),
  prot: protection.default(BigInt(PROT.READ | PROT.WRITE)),
  flags: mapFlags.default(BigInt(MAP.SHARED)),
};
