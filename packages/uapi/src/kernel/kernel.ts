/**
 * The simulated kernel: what all processes share. Time, waiting, device nodes, pages.
 *
 * It lives in one actor, and its system calls are generators, so that they run on both runtimes. Everything that can make a
 * waiting call go on says so by `changed()`, which grows one word; a waiting call looks again at whatever it waits for. A few
 * processes wait at a time, so that waking all of them costs less than keeping track of who waits for what.
 */
import {
  type AtomicWords,
  attemptUntil,
  type Clock,
  type ErrnoCode,
  ErrnoError,
  type Nanoseconds,
  sleepUntil,
  type Task,
  TIMED_OUT,
  type WordIndex,
  WordPark,
} from '@dmabuf-lab/core/base';
import { DmaBufRules } from '@dmabuf-lab/core/dma-buf';
import { FenceContexts, FenceContract, ResvObject, WwClass } from '@dmabuf-lab/core/sync';
import { O } from '../abi/fcntl.js';
import { DirectoryFile } from './directory-file.js';
import type { Inode, OpenFile } from './open-file.js';
import type { PageAllocator, PageWatcher } from './pages.js';

/** What the kernel needs of the actor that it lives in. */
export interface KernelHost {
  readonly clock: Clock;
  readonly words: AtomicWords;
  spawn(name: string, task: Task<void>): void;
}

/** Opens a device node. @param flags of open(2) */
export type OpenNode = (flags: number) => OpenFile;

/** The parts of a kernel that differ from machine to machine. */
export interface KernelOptions {
  /** A control word that nobody else uses. */
  readonly changedWord: WordIndex;
  readonly pages: PageAllocator;
  /** What dma-bufs keep to; like Linux 6.12 when absent. */
  readonly dmaBufRules?: DmaBufRules;
}

const NEW_FILE = O.CREAT | O.EXCL;
/** st_mode of a device node: a character device that its owner may use. */
const DEVICE_MODE = 0o020600;

export class SimulatedKernel {
  readonly pages: PageAllocator;
  /** Numbers of fence contexts, and the stub. */
  readonly fences: FenceContexts;
  /** Devices that know what lies in memory are told when a process changes it. */
  readonly pageWatchers = new Set<PageWatcher>();
  /** Checks devices that publish fences before their work is done. */
  readonly fenceContract = new FenceContract();
  /** The rules of all dma-bufs, and what was found against them. */
  readonly dmaBufRules: DmaBufRules;
  readonly #reservations = new WwClass('reservation_ww_class');
  readonly #nodes = new Map<string, OpenNode>();
  #inodes = 0;

  constructor(
    private readonly host: KernelHost,
    private readonly options: KernelOptions,
  ) {
    this.pages = options.pages;
    this.dmaBufRules = options.dmaBufRules ?? new DmaBufRules();
    this.fences = new FenceContexts({ now: () => this.now() });
  }

  /** Since the start of the run; what CLOCK_MONOTONIC is. */
  now(): Nanoseconds {
    return this.host.clock.now();
  }

  /** Adds a device node. */
  addNode(path: string, open: OpenNode): void {
    this.#nodes.set(path, open);
  }

  get paths(): readonly string[] {
    return [...this.#nodes.keys()];
  }

  /** Source: path_openat, do_dentry_open. @throws ErrnoError ENOENT, ENOTDIR, EISDIR, EEXIST, and what the device says */
  openNode(given: string, flags: number): OpenFile {
    const path = plainPath(given);
    const refuse = (code: ErrnoCode, why: string): ErrnoError =>
      new ErrnoError(code, 'open', `Cannot open ${given}: ${why}`, { path });
    if (given === '') throw refuse('ENOENT', 'the path is empty');
    const open = this.#nodes.get(path);
    const isNode = open !== undefined;
    const isDirectory = this.#isDirectory(path);
    if ((isNode && given.endsWith('/')) || this.#isBelowNode(path)) throw refuse('ENOTDIR', 'it is below a device');
    if ((isNode || isDirectory) && (flags & NEW_FILE) === NEW_FILE) throw refuse('EEXIST', 'it exists');
    if (isNode) return open(flags);
    if (!isDirectory) throw refuse('ENOENT', 'there is no such file');
    if ((flags & (O.CREAT | O.TRUNC | O.ACCMODE)) !== 0) throw refuse('EISDIR', 'it is a directory');
    return new DirectoryFile(path, flags);
  }

  /** A reservation for a buffer. @param name what messages call it */
  reservation(name: string): ResvObject {
    return new ResvObject(this.fences, this.#reservations, name);
  }

  #isDirectory(path: string): boolean {
    return this.paths.some((node) => node.startsWith(path === '/' ? path : `${path}/`));
  }

  #isBelowNode(path: string): boolean {
    return this.paths.some((node) => path.startsWith(`${node}/`));
  }

  nextInode(): number {
    this.#inodes += 1;
    return this.#inodes;
  }

  /** The inode of a new device node. */
  deviceInode(): Inode {
    return { number: this.nextInode(), sizeBytes: 0, blocks: 0, mode: DEVICE_MODE };
  }

  /** Something that a call may wait for has changed. */
  changed(): void {
    this.host.words.add(this.options.changedWord, 1);
    this.host.words.notify(this.options.changedWord);
  }

  /**
   * Waits until a look has a result, or a time.
   *
   * @param look tried at once, after each change, and once more when time is up
   * @returns undefined when time is up
   */
  *wait<T>(look: () => T | undefined, untilNs: Nanoseconds, what: string): Task<T | undefined> {
    const { words } = this.host;
    const { changedWord } = this.options;
    const outcome = yield* attemptUntil(() => {
      const seen = words.load(changedWord);
      const result = look();
      return result === undefined ? new WordPark(changedWord, seen, what) : result;
    }, untilNs);
    return outcome === TIMED_OUT ? undefined : outcome;
  }

  /** Does something at a time, unless it has been called off. @returns calls it off */
  at(timeNs: Nanoseconds, what: string, action: () => void): () => void {
    let isOff = false;
    function* timer(): Task<void> {
      yield* sleepUntil(timeNs, what);
      if (!isOff) action();
    }
    this.host.spawn(what, timer());
    return () => {
      isOff = true;
    };
  }

  /** Runs something beside the callers: a kernel thread. */
  spawn(name: string, task: Task<void>): void {
    this.host.spawn(name, task);
  }
}

/** The path without empty parts, `.` and `..`. A relative one starts at the root. */
function plainPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}
