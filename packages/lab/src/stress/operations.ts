/** What the drivers of a stress run do, and which errors a correct program may meet while it does. */
import { ERRNO, type ErrnoCode } from '@dmabuf-lab/core/base';

/** Operations, in the order of their counters. */
export const OPERATIONS = [
  'create',
  'destroy',
  'attach',
  'detach',
  'read',
  'write',
  'map',
  'nested-map',
  'wait',
  'reopen',
] as const;
export type Operation = (typeof OPERATIONS)[number];

/** Errno names, in the order of their counters. */
export const ERRORS = Object.keys(ERRNO) as ErrnoCode[];

/** Storage that is not to be had now: no room, in use, the buffer or its exporter gone. */
const STORAGE: readonly ErrnoCode[] = ['ENOMEM', 'EBUSY', 'ETIMEDOUT', 'ENODEV', 'ESTALE', 'ECANCELED'];

/** The errors that each operation may end with; any other is a violation. */
const ALLOWED: Readonly<Record<Operation, readonly ErrnoCode[]>> = {
  create: ['ENOMEM', 'ENOSPC', 'ENODEV'],
  destroy: ['ENODEV'],
  attach: [...STORAGE, 'ENOSPC', 'EOPNOTSUPP', 'EPERM'],
  detach: ['EBUSY', 'ENODEV'],
  read: [...STORAGE, 'ENOSPC', 'EOPNOTSUPP', 'EPERM'],
  write: [...STORAGE, 'ENOSPC', 'EOPNOTSUPP', 'EPERM'],
  map: [...STORAGE, 'ENOSPC', 'EOPNOTSUPP', 'EPERM'],
  'nested-map': [...STORAGE, 'EDEADLK'],
  wait: ['ETIMEDOUT'],
  reopen: ['ENODEV'],
};

export const isAllowed = (operation: Operation, code: ErrnoCode): boolean => ALLOWED[operation].includes(code);
