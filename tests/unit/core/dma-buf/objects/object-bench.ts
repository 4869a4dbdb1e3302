import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
import {
  DmaBufCaller,
  DmaBufObject,
  type DmaBufObjectOps,
  DmaBufRules,
  type DmaBufRulesOptions,
  type ObjectImporterOps,
  type ObjectVma,
} from '@dmabuf-lab/core/dma-buf';
import { type Fence, ResvObject, type ResvUsage, WwClass } from '@dmabuf-lab/core/sync';
import { FenceBench, type Running, TaskRunner } from '../../sync/fences/bench-fences.js';

const wwClass = new WwClass('reservation_ww_class');

/** What a bench gives to importers: a fresh one for each map. */
export interface Table {
  readonly number: number;
}

/** Ops that write down each call, and fail where a test says so. */
export class LoggedOps implements DmaBufObjectOps<Table> {
  readonly log: string[] = [];
  readonly failures = new Map<string, unknown>();
  mapped = 0;
  nextTable: () => Table | undefined = () => ({ number: this.mapped });

  #call(name: string): void {
    this.log.push(name);
    if (this.failures.has(name)) throw this.failures.get(name);
  }

  attach(): void {
    this.#call('attach');
  }
  detach(): void {
    this.#call('detach');
  }
  *pin(): Task<void> {
    this.#call('pin');
  }
  unpin(): void {
    this.#call('unpin');
  }
  *mapDmaBuf(): Task<Table | undefined> {
    this.#call('map');
    this.mapped += 1;
    return this.nextTable();
  }
  unmapDmaBuf(_attachment: unknown, _table: unknown, direction: string): void {
    this.#call(`unmap ${direction}`);
  }
  release(): void {
    this.#call('release');
  }
  *beginCpuAccess(direction: string): Task<void> {
    this.#call(`begin ${direction}`);
  }
  endCpuAccess(direction: string): void {
    this.#call(`end ${direction}`);
  }
  mmap(): void {
    this.#call('mmap');
  }
  vmap(): readonly Uint8Array[] {
    this.#call('vmap');
    return [new Uint8Array(4096)];
  }
  vunmap(): void {
    this.#call('vunmap');
  }
}

/** One buffer of four pages, its exporter, and a caller. */
export class ObjectBench {
  readonly fences = new FenceBench();
  readonly runner = new TaskRunner();
  readonly rules: DmaBufRules;
  readonly reservation: ResvObject;
  readonly caller = new DmaBufCaller('driver');
  readonly ops = new LoggedOps();
  readonly buffer: DmaBufObject<Table>;

  /** @param without ops that the exporter does not have */
  constructor(options: DmaBufRulesOptions = {}, without: readonly (keyof DmaBufObjectOps<Table>)[] = []) {
    this.rules = new DmaBufRules(options);
    this.reservation = new ResvObject(this.fences.contexts, wwClass, 'frame');
    for (const op of without) Object.defineProperty(this.ops, op, { value: undefined });
    this.buffer = this.export(this.ops);
  }

  export(ops: DmaBufObjectOps<Table>, caller?: DmaBufCaller): DmaBufObject<Table> {
    const { reservation, rules } = this;
    const init = { exporterName: 'bench', name: 'frame', sizeBytes: 16_384, ops, reservation, rules };
    return new DmaBufObject(init, caller);
  }

  get kinds(): string[] {
    return this.rules.findings.map(({ kind }) => kind);
  }

  lock(): void {
    if (!this.caller.tryLock(this.reservation)) throw new Error('somebody holds the lock');
  }

  unlock(): void {
    this.caller.unlock(this.reservation);
  }

  /** Runs something with the lock held. */
  locked<T>(run: () => T): T {
    this.lock();
    try {
      return run();
    } finally {
      this.unlock();
    }
  }

  /** Starts a task and lets it come as far as it can. */
  start<T>(task: Task<T>): Running<T> {
    const running = this.runner.start(task);
    this.runner.run();
    return running;
  }

  /** Runs a task that does not wait. */
  run<T>(task: Task<T>): T {
    const running = this.start(task);
    if (running.error !== undefined) throw running.error;
    if (!running.done) throw new Error('the task waits');
    return running.value as T;
  }

  /** Puts a pending fence on the reservation. */
  addFence(usage: ResvUsage): Fence {
    const fence = this.fences.fence();
    const isMine = this.caller.holds(this.reservation);
    if (!isMine) this.lock();
    this.reservation.reserveFences(1);
    this.reservation.addFence(fence, usage);
    if (!isMine) this.unlock();
    return fence;
  }

  signal(fence: Fence): void {
    fence.signal();
    this.runner.run();
  }
}

/** A mapping of user space. */
export const vma = (first: number, count: number): ObjectVma => ({ first, count, fixedLength: false });

/** An importer that follows moves and counts how often it was told. */
export const follower = (): ObjectImporterOps & { told: number } => ({
  told: 0,
  moveNotify() {
    this.told += 1;
  },
});

export const busy = (): ErrnoError => new ErrnoError('EBUSY', 'test', 'Cannot do it: it is a test');
