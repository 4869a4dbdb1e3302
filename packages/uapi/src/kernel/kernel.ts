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
  type CallSites,
  type Clock,
  type ErrnoCode,
  ErrnoError,
  type Nanoseconds,
  type Park,
  sleepUntil,
  type Task,
  TIMED_OUT,
  type WordIndex,
  WordPark,
} from '@dmabuf-lab/core/base';
import type { DeviceConstraints } from '@dmabuf-lab/core/constraints';
import { CpuCache, type CpuCacheOptions, DmaBufRules } from '@dmabuf-lab/core/dma-buf';
import { FenceContexts, FenceContract, ResvObject, WwClass } from '@dmabuf-lab/core/sync';
import { O } from '../abi/fcntl.js';
import { DirectoryFile } from './directory-file.js';
import { ANON_INODE, type Inode, type OpenFile, PERMISSIONS } from './open-file.js';
import type { PageAllocator, PageWatcher } from './pages.js';
import type { Process } from './process.js';
import { SyncAudit } from './sync-audit.js';

/** What the kernel needs of the actor that it lives in. */
export interface KernelHost {
  readonly clock: Clock;
  readonly words: AtomicWords;
  spawn(name: string, task: Task<void>): void;
}

/** Opens a device node. @param flags of open(2) */
export type OpenNode = (flags: number) => OpenFile;

/** Makes what a new path opens. */
export type CreateNode = (path: string) => OpenNode;

/** The parts of a kernel that differ from machine to machine. */
export interface KernelOptions {
  /** A control word that nobody else uses. */
  readonly changedWord: WordIndex;
  readonly pages: PageAllocator;
  /** Where memory lies, in the simulated address map. Absent = nobody knows, so that limits of devices go unchecked. */
  readonly addressOf?: (memory: Uint8Array) => number | undefined;
  /** What dma-bufs keep to; like Linux 6.12 when absent. */
  readonly dmaBufRules?: DmaBufRules;
  /** Find out which line of a program has made what it leaves open; absent = do not, since that costs time. */
  readonly callSites?: CallSites;
  /** Between the CPU and dma-bufs; absent = devices see what the CPU sees. */
  readonly cpuCache?: CpuCacheOptions;
}

/** A dma-buf that is there, for lists of what was left. */
export interface LiveDmaBuf {
  readonly name: string;
  /** The devices that are attached, and the line of the program that had them attach. */
  attached(): Iterable<{ readonly device: string; readonly site: string | undefined }>;
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
  /** Looks for waits that are missing, and for those that are not needed. */
  readonly syncAudit: SyncAudit;
  /** Undefined on a coherent board. */
  readonly cpuCache: CpuCache | undefined;
  /** Undefined where nobody wants to know. */
  readonly callSites: CallSites | undefined;
  /** All that are there, by their file; only with `callSites`. */
  readonly dmaBufs = new Map<OpenFile, LiveDmaBuf>();
  /** Processes that have not ended. */
  readonly processes = new Set<Process>();
  readonly #reservations = new WwClass('reservation_ww_class');
  readonly #nodes = new Map<string, OpenNode>();
  readonly #devices = new Map<string, DeviceConstraints>();
  readonly #folders = new Map<string, CreateNode>();
  readonly #anonymous: Inode = { ...ANON_INODE };
  #inodes = 0;

  constructor(
    private readonly host: KernelHost,
    private readonly options: KernelOptions,
  ) {
    this.pages = options.pages;
    this.dmaBufRules = options.dmaBufRules ?? new DmaBufRules();
    this.callSites = options.callSites;
    const { cpuCache } = options;
    if (cpuCache?.isCoherent === false) this.cpuCache = new CpuCache(cpuCache, this.dmaBufRules);
    this.syncAudit = new SyncAudit(this.dmaBufRules, () => this.now());
    this.fences = new FenceContexts({ now: () => this.now() });
  }

  /** Since the start of the run; what CLOCK_MONOTONIC is. */
  now(): Nanoseconds {
    return this.host.clock.now();
  }

  /** The physical address of pages that follow each other; undefined when it is not known. */
  addressOf(memory: Uint8Array): number | undefined {
    return this.options.addressOf?.(memory);
  }

  /** Adds a device node. */
  addNode(path: string, open: OpenNode): void {
    this.#nodes.set(path, open);
  }

  /** Takes a device node away; its open files stay. Source: devtmpfs_delete_node, drivers/base/devtmpfs.c, v6.12. */
  removeNode(path: string): void {
    this.#nodes.delete(path);
  }

  /** Says what a device asks of memory. Source: struct device.dma_mask and dma_parms, include/linux/device.h, v6.12. */
  addDevice(constraints: DeviceConstraints): void {
    this.#devices.set(constraints.device, constraints);
  }

  /** Whether a device of that name is there. */
  hasDevice(device: string): boolean {
    return this.#devices.has(device);
  }

  /** @returns no constraints for a device that nobody has told of */
  deviceNamed(device: string): DeviceConstraints {
    return this.#devices.get(device) ?? { device };
  }

  /** Adds a folder, perhaps an empty one. @param create where open(2) can make files in it */
  addFolder(path: string, create?: CreateNode): void {
    const refuse = (): never => {
      throw new ErrnoError('EACCES', 'open', `Cannot create a file in ${path}`);
    };
    this.#folders.set(path, create ?? refuse);
  }

  get paths(): readonly string[] {
    return [...this.#nodes.keys()];
  }

  /**
   * Source: build_open_flags, path_openat, do_dentry_open.
   *
   * @throws ErrnoError ENOENT, ENOTDIR, EISDIR, EEXIST, EINVAL, EACCES, and what the device says
   */
  openNode(given: string, flags: number): OpenFile {
    const path = plainPath(given);
    const refuse = (code: ErrnoCode, why: string): ErrnoError =>
      new ErrnoError(code, 'open', `Cannot open ${given}: ${why}`, { path });
    const creates = (flags & O.CREAT) !== 0;
    const wantsDirectory = (flags & O.DIRECTORY) !== 0;
    if (creates && wantsDirectory) throw refuse('EINVAL', 'open creates no directories');
    if (given === '') throw refuse('ENOENT', 'the path is empty');
    if (this.#isBelowNode(path)) throw refuse('ENOTDIR', 'it is below a device');
    if (creates && given.endsWith('/') && path !== '/') throw refuse('EISDIR', 'it is to be a directory');
    const isDirectory = this.#isDirectory(path);
    const known = this.#nodes.get(path);
    const exists = isDirectory || known !== undefined;
    if (exists && (flags & NEW_FILE) === NEW_FILE) throw refuse('EEXIST', 'it exists');
    if (known !== undefined && (wantsDirectory || given.endsWith('/'))) throw refuse('ENOTDIR', 'it is no directory');
    const open = known ?? (creates && !isDirectory ? this.#newNode(path) : undefined);
    if (open !== undefined) return open(flags);
    if (!isDirectory) throw refuse('ENOENT', 'there is no such file');
    if ((flags & (O.CREAT | O.TRUNC | O.ACCMODE)) !== 0) throw refuse('EISDIR', 'it is a directory');
    return new DirectoryFile(path, flags);
  }

  /** A reservation for a buffer. @param name what messages call it */
  reservation(name: string): ResvObject {
    return new ResvObject(this.fences, this.#reservations, name);
  }

  #isDirectory(path: string): boolean {
    if (this.#folders.has(path)) return true;
    return this.paths.some((node) => node.startsWith(path === '/' ? path : `${path}/`));
  }

  /** A file in a folder that makes them. */
  #newNode(path: string): OpenNode | undefined {
    const open = this.#folders.get(path.slice(0, path.lastIndexOf('/')))?.(path);
    if (open !== undefined) this.addNode(path, open);
    return open;
  }

  #isBelowNode(path: string): boolean {
    return this.paths.some((node) => path.startsWith(`${node}/`));
  }

  nextInode(): number {
    this.#inodes += 1;
    return this.#inodes;
  }

  /** The inode that files without one of their own share. */
  get anonymousInode(): Inode {
    return this.#anonymous;
  }

  /** Whoever changes the mode of one such file changes it for all. */
  chmodAnonymous(mode: number): void {
    this.#anonymous.mode = mode & PERMISSIONS;
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

  /** Lets time pass, of work that the model charges. */
  *spend(ns: Nanoseconds): Task<void> {
    if (ns > 0) yield* sleepUntil(this.now() + ns, 'work of the kernel');
  }

  /** Does what never waits, and lets the time pass of the cache maintenance that it costs. */
  *charged<T>(call: () => T): Task<T> {
    const beforeNs = this.cpuCache?.cost.spentNs ?? 0;
    const result = call();
    yield* this.spend((this.cpuCache?.cost.spentNs ?? 0) - beforeNs);
    return result;
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

  /** Runs a task at once as far as it goes without waiting, and the rest beside the caller. @param name of the kernel thread */
  startNow(name: string, task: Task<void>): void {
    const first = task.next();
    if (first.done) return;
    this.spawn(name, rest(first));
    function* rest(begun: IteratorResult<Park, void>): Task<void> {
      let step = begun;
      while (step.done !== true) {
        let sent: unknown;
        try {
          sent = yield step.value;
        } catch (error) {
          step = task.throw(error); // it is the task that waits
          continue;
        }
        step = task.next(sent);
      }
    }
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
