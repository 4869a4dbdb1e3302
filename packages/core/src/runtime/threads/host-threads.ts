/** What the host has for threads: how much memory is left, and how one is started. */
import { totalmem } from 'node:os';
import { Worker, type WorkerOptions } from 'node:worker_threads';
import { ErrnoError } from '../../base/index.js';

/** Of an idle worker 7.6 MiB are resident. */
const WORKER_MIB = 8;
const MIB = 2 ** 20;

/** The host as the threads runtime sees it; tests bring their own. */
export interface HostThreads {
  /** Bytes that this process may still take, by the host and by the limit that it runs under. */
  availableBytes(): number;
  /** Starts a thread. Throws when the host has none. */
  start(module: URL, options: WorkerOptions): Worker;
}

export const HOST_THREADS: HostThreads = {
  // What macOS calls free leaves out what it would give back when asked.
  availableBytes: () => (process.platform === 'darwin' ? totalmem() : process.availableMemory()),
  start: (module, options) => new Worker(module, options),
};

/** @throws ErrnoError ENOMEM when the host has too little memory for so many workers */
export function checkRoomForWorkers(workers: number, { availableBytes }: Pick<HostThreads, 'availableBytes'>): void {
  const availableMiB = Math.floor(availableBytes() / MIB);
  const neededMiB = workers * WORKER_MIB;
  if (neededMiB <= availableMiB) return;
  const most = Math.floor(availableMiB / WORKER_MIB);
  const message =
    `Cannot start ${workers} workers: each takes ${WORKER_MIB} MiB, and ${availableMiB} MiB are left; ` +
    `expected at most ${most}, got ${workers} (fewer devices, or runtime virtual, which has no workers)`;
  throw new ErrnoError('ENOMEM', 'clone', message, { workers, most });
}

/** @throws ErrnoError EAGAIN when the host has no thread to give, as clone(2) */
export function startThread(actor: string, host: HostThreads, module: URL, options: WorkerOptions): Worker {
  try {
    return host.start(module, options);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ErrnoError('EAGAIN', 'clone', `Cannot start a thread for ${actor}: ${reason}`, { actor });
  }
}
