/** What the host has for threads: how much memory is left, and how one is started. */
import { freemem, totalmem } from 'node:os';
import { Worker, type WorkerOptions } from 'node:worker_threads';
import { ErrnoError } from '../../base/index.js';

/** Of an idle worker 7.6 MiB are resident. */
const WORKER_MIB = 8;
const MIB = 2 ** 20;

/** The host as the threads runtime sees it; tests bring their own. */
export interface HostThreads {
  /** Bytes that this process may still take, by the host and by the limit that it runs under; 0 = not known. */
  availableBytes(): number;
  /** Starts a thread. Throws when the host has none. */
  start(module: URL, options: WorkerOptions): Worker;
}

/** What Node tells of memory, in bytes. */
export interface MemoryFigures {
  /** `process.availableMemory()`: 0 where libuv could not tell, and where a container has used up its limit. */
  readonly available: number;
  /** `process.constrainedMemory()`: the limit of a container; 0, or more than there is, where there is none. */
  readonly constrained: number;
  readonly total: number;
  readonly free: number;
  /** Resident of this process. */
  readonly rss: number;
}

/**
 * Bytes that this process may still take; 0 = not known.
 *
 * Under a limit, `available` is what the limit leaves beside memory.current, which counts the page cache too, and the kernel gives
 * that back before it refuses (mem_cgroup charges reclaim first, mm/memcontrol.c, v6.12). So what this process itself leaves of
 * the limit counts as well, up to what the host has free.
 */
export function bytesLeft({ available, constrained, total, free, rss }: MemoryFigures): number {
  if (available <= 0) return 0;
  const isLimited = constrained > 0 && constrained <= total;
  return isLimited ? Math.max(available, Math.min(free, constrained - rss)) : available;
}

function availableBytes(): number {
  // What macOS calls free leaves out what it would give back when asked.
  if (process.platform === 'darwin') return totalmem();
  const [available, constrained] = [process.availableMemory(), process.constrainedMemory()];
  return bytesLeft({ available, constrained, total: totalmem(), free: freemem(), rss: process.memoryUsage.rss() });
}

export const HOST_THREADS: HostThreads = {
  availableBytes,
  start: (module, options) => new Worker(module, options),
};

/** @throws ErrnoError ENOMEM when the host is known to have too little memory for so many workers */
export function checkRoomForWorkers(workers: number, { availableBytes }: Pick<HostThreads, 'availableBytes'>): void {
  const bytes = availableBytes();
  const availableMiB = Math.floor(bytes / MIB);
  const neededMiB = workers * WORKER_MIB;
  if (bytes === 0 || neededMiB <= availableMiB) return;
  const most = Math.floor(availableMiB / WORKER_MIB);
  const message =
    `Cannot start ${workers} workers: each takes ${WORKER_MIB} MiB, and ${availableMiB} MiB are left; ` +
    `expected at most ${most}, got ${workers} (fewer devices, or runtime virtual, which has no workers)`;
  throw new ErrnoError('ENOMEM', 'clone', message, { workers, most });
}

/**
 * @throws ErrnoError EAGAIN when the host has no thread to give, as clone(2)
 * @throws what `start` threw otherwise, e.g. DataCloneError for data that cannot be given to a thread
 */
export function startThread(actor: string, host: HostThreads, module: URL, options: WorkerOptions): Worker {
  try {
    return host.start(module, options);
  } catch (error) {
    // Of Node where uv_thread_create fails; the message is the name of its error, e.g. EAGAIN.
    if (!(error instanceof Error) || (error as { code?: unknown }).code !== 'ERR_WORKER_INIT_FAILED') throw error;
    throw new ErrnoError('EAGAIN', 'clone', `Cannot start a thread for ${actor}: ${error.message}`, { actor });
  }
}
