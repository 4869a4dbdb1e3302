/** Flags of descriptors, mappings and poll, by the names of the C headers. Source: include/uapi/asm-generic, x86-64, v6.12. */

/** Flags of open(2). */
export const O = {
  RDONLY: 0,
  WRONLY: 1,
  RDWR: 2,
  ACCMODE: 3,
  CREAT: 0o100,
  EXCL: 0o200,
  TRUNC: 0o1000,
  APPEND: 0o2000,
  NONBLOCK: 0o4000,
  LARGEFILE: 0o100000,
  DIRECTORY: 0o200000,
  CLOEXEC: 0o2000000,
} as const;

/** Flags of mmap(2). */
export const MAP = { SHARED: 1, PRIVATE: 2, SHARED_VALIDATE: 3, POPULATE: 0x8000 } as const;

/** Protections of mmap(2) and mprotect(2). */
export const PROT = { NONE: 0, READ: 1, WRITE: 2, EXEC: 4 } as const;

/** Events of poll(2). */
export const POLL = {
  IN: 0x0001,
  PRI: 0x0002,
  OUT: 0x0004,
  ERR: 0x0008,
  HUP: 0x0010,
  NVAL: 0x0020,
  RDNORM: 0x0040,
  RDBAND: 0x0080,
  WRNORM: 0x0100,
  WRBAND: 0x0200,
} as const;

/** What poll says of a file that has no opinion. Source: DEFAULT_POLLMASK, include/linux/poll.h, v6.12. */
export const DEFAULT_POLL_MASK = POLL.IN | POLL.OUT | POLL.RDNORM | POLL.WRNORM;

/** Where lseek(2) starts from. */
export const SEEK = { SET: 0, CUR: 1, END: 2, DATA: 3, HOLE: 4 } as const;
/** The largest of them. */
export const SEEK_MAX = 4;

/** Seals of memfd_create(2). Source: include/uapi/linux/fcntl.h, v6.12. */
export const F_SEAL = { SEAL: 1, SHRINK: 2, GROW: 4, WRITE: 8, FUTURE_WRITE: 16, EXEC: 32 } as const;

/** Flags of memfd_create(2). */
export const MFD = { CLOEXEC: 1, ALLOW_SEALING: 2, HUGETLB: 4, NOEXEC_SEAL: 8, EXEC: 16 } as const;

/** Modes of fallocate(2). */
export const FALLOC = {
  KEEP_SIZE: 1,
  PUNCH_HOLE: 2,
  COLLAPSE_RANGE: 8,
  ZERO_RANGE: 0x10,
  INSERT_RANGE: 0x20,
  UNSHARE_RANGE: 0x40,
} as const;

/** Bytes of a page. */
export const PAGE_BYTES = 4096;
