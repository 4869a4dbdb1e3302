/** What a driver of a stress run does with buffers, one operation at a time; when it does which, the driver's lanes decide. */
import { attempt, type Nanoseconds, type RandomStream, sleepUntil, type Task } from '@dmabuf-lab/core/base';
import {
  type BufferHandle,
  type CreateRequest,
  callOnce,
  type DmaBufAttachment,
  DmaBufImporter,
  EXPORTER,
  UseLog,
  WatchedImporter,
} from '@dmabuf-lab/core/dma-buf';
import {
  DeviceStatistics,
  type JobParts,
  type OpenTables,
  openTables,
  PipelineJob,
  type PipelineLane,
} from '@dmabuf-lab/core/driver';
import { PAGE_SIZE, PhysicalMemory } from '@dmabuf-lab/core/memory';
import { type ActorHost, RuntimeWords } from '@dmabuf-lab/core/runtime';
import { DmaResv, ResvUsage } from '@dmabuf-lab/core/sync';
import type { Touch } from '../history/index.js';
import { FaultSites } from './fault-sites.js';
import { OperationCounter } from './operation-counter.js';
import type { Operation } from './operations.js';
import { DEVICES, listingsOf, pauseOf, type StressDevice } from './plan.js';
import { pagesOf } from './stamp.js';
import { StampChecker } from './stamp-checker.js';
import type { StressActorStart } from './stress-actor.js';
import { StressFrame } from './stress-frame.js';
import { StressWords } from './stress-words.js';

/** One generator of the driver. */
export interface StressLane {
  /** Of all drivers. */
  readonly number: number;
  readonly lane: PipelineLane;
  readonly random: RandomStream;
}

export interface StressAccess {
  readonly frame: StressFrame;
  readonly write: boolean;
}

const MAX_PAGES = 8;

/** Tests override what a job does, to break a rule. */
export class StressOperations {
  readonly words: StressWords;
  readonly tables: OpenTables;
  readonly importer: DmaBufImporter;
  readonly checker: StampChecker;
  readonly #counter: OperationCounter;
  readonly #device: StressDevice;
  readonly #statistics = new DeviceStatistics();
  readonly #pauseNs: Nanoseconds;
  readonly #sites: FaultSites;
  /** Each buffer has a name of its own. */
  #creates = 0;
  /** Where mappings and fences are written down with their times; undefined when nobody watches how long they last. */
  readonly #uses: UseLog | undefined;
  /** Destroys that have not ended. */
  #destroys = 0;

  constructor(
    protected readonly host: ActorHost,
    protected readonly start: StressActorStart,
  ) {
    const { plan, index } = start;
    this.words = new StressWords(start.board);
    this.tables = openTables(host.words, start.tables, host.id);
    this.#device = DEVICES[index % DEVICES.length];
    const { kind: _, constraints, ...traits } = this.#device;
    const device = { name: host.name, constraints: { device: host.name, ...constraints }, ...traits };
    const memory = PhysicalMemory.open(host.memory);
    const runtimeWords = new RuntimeWords(host.words);
    const now = (): Nanoseconds => (runtimeWords.started ? host.clock.now() : 0);
    const { buffers, uses } = this.tables;
    this.#uses = uses && new UseLog(uses, host.id, now);
    this.importer =
      this.#uses === undefined
        ? new DmaBufImporter(host, buffers, memory, device)
        : new WatchedImporter(host, buffers, memory, device, this.#uses);
    this.#pauseNs = pauseOf(plan);
    this.checker = new StampChecker({
      words: this.words,
      actor: host.id,
      life: host.life,
      now: () => host.clock.now(),
      stateOf: (slot) => this.tables.buffers.state(slot),
      hasDied: (actor, life) => runtimeWords.deaths(actor as typeof host.id) > life,
      onViolation: () => runtimeWords.stop(),
    });
    this.#sites = new FaultSites(host, this.words, plan);
    this.#counter = new OperationCounter(host, this.words, this.checker, plan.operations);
  }

  /** Does one operation, or nothing for a while. */
  *perform(lane: StressLane, what: Operation | 'idle'): Task<void> {
    switch (what) {
      case 'create':
        return yield* this.#create(lane);
      case 'destroy':
        return this.#destroy(lane);
      case 'attach':
        return yield* this.#attach(lane);
      case 'detach':
        return yield* this.#detach(lane);
      case 'read':
      case 'write':
        return yield* this.#job(lane, what === 'write');
      case 'map':
        return yield* this.#map(lane);
      case 'wait':
        return yield* this.#waitForFences(lane);
      case 'reopen':
        return yield* this.reopen(lane);
      default:
        return yield* this.pause(lane);
    }
  }

  // ---- operations of an owner ----

  *#create(lane: StressLane): Task<void> {
    const { random } = lane;
    const free = this.ownListings().filter((listing) => this.words.listed(listing) === undefined);
    if (free.length === 0) return;
    const listing = free[random.integer(free.length)];
    const kind = random.integer(10);
    const request: CreateRequest = {
      name: `buffer ${listing} (${this.host.name}, ${this.host.life}.${++this.#creates})`,
      actor: this.host.id,
      pool: 'stress',
      sizeBytes: PAGE_SIZE * (1 + random.integer(MAX_PAGES)),
      allocate: kind === 0 ? { heap: 'system' } : kind === 1 ? { heap: 'cma' } : 'deferred',
      expect: [],
      expectTimeoutNs: 0,
    };
    yield* this.#counter.perform(
      lane,
      'create',
      function* (this: StressOperations): Task<void> {
        const handle: BufferHandle = yield* this.host.call(EXPORTER, 'create', request);
        this.checker.begin(handle, lane.number);
        // The other lane may have been quicker with this listing.
        if (this.words.listed(listing) === undefined) this.words.list(listing, handle);
        else this.destroyLater(handle, lane);
      }.bind(this),
    );
  }

  #destroy(lane: StressLane): void {
    const listing = pickFrom(this.ownListings(), lane.random);
    const handle = listing === undefined ? undefined : this.words.listed(listing);
    if (listing === undefined || handle === undefined) return;
    this.words.list(listing, undefined);
    this.destroyLater(handle, lane);
  }

  /** It waits for the last detach, and so beside the lanes, which detach. */
  destroyLater(handle: BufferHandle, lane: StressLane): void {
    this.#destroys += 1;
    this.host.spawn(`destroy slot ${handle.slot}`, this.#destroyNow(handle, lane));
  }

  *#destroyNow(handle: BufferHandle, { number }: StressLane): Task<void> {
    this.checker.log('destroyed', handle.slot, number);
    yield* this.#counter.perform(undefined, 'destroy', () => callOnce(this.host, 'destroy', { buffer: handle }));
    this.#destroys -= 1;
    this.tables.jobs.countEnded();
  }

  /** Until all that are on their way out are gone. */
  *untilDestroyed(): Task<void> {
    yield* attempt(() => this.tables.jobs.whenStep(() => this.#destroys === 0));
  }

  // ---- operations of an importer ----

  *#attach(lane: StressLane): Task<void> {
    const handle = this.#pick(lane);
    if (handle === undefined) return;
    yield* this.#counter.perform(
      lane,
      'attach',
      function* (this: StressOperations): Task<void> {
        yield* this.#sites.late('buffer-take');
        const attachment = yield* this.importer.attach(handle);
        this.checker.log('attached', handle.slot, lane.number, attachment.slot);
      }.bind(this),
    );
  }

  *#detach(lane: StressLane): Task<void> {
    const attachment = pickFrom([...this.importer.attachments].filter(isIdle), lane.random);
    if (attachment !== undefined) yield* this.detachFrom(lane, attachment);
  }

  *detachFrom(lane: StressLane, attachment: DmaBufAttachment): Task<void> {
    yield* this.#counter.perform(
      lane,
      'detach',
      function* (this: StressOperations): Task<void> {
        this.checker.log('detached', attachment.buffer.slot, lane.number, attachment.slot);
        yield* this.importer.detach(attachment);
      }.bind(this),
    );
  }

  *#map(lane: StressLane): Task<void> {
    const handle = this.#pick(lane);
    if (handle === undefined) return;
    yield* this.#counter.perform(
      lane,
      'map',
      function* (this: StressOperations, reached: () => void): Task<void> {
        yield* this.#sites.late('buffer-take');
        const attachment = yield* this.importer.attach(handle);
        const mapping = yield* this.importer.map(attachment, lane.lane);
        reached();
        this.checker.log('mapped', handle.slot, lane.number, mapping.generation);
        yield* this.pause(lane);
        this.checker.log('unmapped', handle.slot, lane.number, mapping.generation);
        this.importer.unmap(mapping);
      }.bind(this),
    );
  }

  /** A job on one to three buffers: the first is written or read, the others are read. */
  *#job(lane: StressLane, writes: boolean): Task<void> {
    const count = 1 + lane.random.integer(3);
    const handles: BufferHandle[] = [];
    for (let i = 0; i < count; i += 1) {
      const handle = this.#pick(lane);
      if (handle !== undefined && !handles.some(({ slot }) => slot === handle.slot)) handles.push(handle);
    }
    if (handles.length === 0) return;
    const accesses = handles.map((buffer, i) => ({ frame: new StressFrame(buffer), write: writes && i === 0 }));
    const nested = lane.random.integer(8) === 0;
    yield* this.#counter.perform(
      lane,
      writes ? 'write' : 'read',
      function* (this: StressOperations, reached: () => void): Task<void> {
        const parts = {
          services: this.host,
          tables: this.tables,
          importer: this.importer,
          statistics: this.#statistics,
          uses: this.#uses,
        };
        yield* this.#sites.late('buffer-take');
        const job = yield* this.beginJob(parts, lane, accesses);
        reached();
        if (job.fence !== undefined) yield* this.#sites.late('fence-publish');
        yield* this.useJob(lane, job, accesses);
        if (nested) yield* this.#nestedMap(lane);
        if (job.fence !== undefined) yield* this.#sites.late('fence-signal');
        const fails = job.fence !== undefined && this.#sites.fires('fence-error');
        this.endJob(lane, job, accesses, fails ? 'EIO' : undefined);
      }.bind(this),
    );
  }

  /** Begins a job. A test overrides it to break a rule. */
  protected beginJob(parts: JobParts, { lane }: StressLane, accesses: readonly StressAccess[]): Task<PipelineJob> {
    return PipelineJob.begin(parts, lane, accesses);
  }

  /** Touches the pages of a job. */
  protected *useJob(lane: StressLane, job: PipelineJob, accesses: readonly StressAccess[]): Task<void> {
    const touches = accesses.map(({ frame, write }): Touch => {
      const { fence } = job;
      if (fence !== undefined) this.checker.log('published', frame.row, lane.number, fence.seqno, write ? 1 : 0);
      return this.checker.beginTouch(frame.buffer, job.mappingOf(frame), lane.number, write);
    });
    for (const [i, { frame, write }] of accesses.entries()) {
      const segments = job.segments(frame);
      if (!write) {
        yield* this.#maybeSleep(lane);
        this.checker.verify(touches[i], segments);
        this.checker.endTouch(touches[i], true);
        continue;
      }
      const stopsEarly = lane.random.integer(32) === 0;
      let index = 0;
      for (const page of pagesOf(segments)) {
        if (stopsEarly && index > 0) break;
        yield* this.#maybeSleep(lane);
        this.checker.write(touches[i], page, index);
        index += 1;
      }
      this.checker.endTouch(touches[i], !stopsEarly);
    }
  }

  /** Ends a job. A test overrides it to break a rule. */
  protected endJob(lane: StressLane, job: PipelineJob, accesses: readonly StressAccess[], error?: 'EIO'): void {
    for (const { frame } of accesses) {
      if (job.fence !== undefined) this.checker.log('signalled', frame.row, lane.number, job.fence.seqno);
    }
    job.end(error);
  }

  /** Maps one more buffer while a published fence is owed: where that would have to wait, it is EDEADLK. */
  *#nestedMap(lane: StressLane): Task<void> {
    const attachment = pickFrom([...this.importer.attachments], lane.random);
    if (attachment === undefined) return;
    yield* this.#counter.perform(
      undefined,
      'nested-map',
      function* (this: StressOperations): Task<void> {
        const mapping = yield* this.importer.map(attachment, lane.lane);
        this.importer.unmap(mapping);
      }.bind(this),
    );
  }

  *#waitForFences(lane: StressLane): Task<void> {
    const handle = this.#pick(lane);
    if (handle === undefined) return;
    const untilNs = this.host.clock.now() + Math.ceil(lane.random.exponential(this.#pauseNs));
    const resv = new DmaResv(this.tables.resv, this.tables.timelines, handle.slot);
    yield* this.#counter.perform(lane, 'wait', () => resv.waitUntil(ResvUsage.Bookkeep, untilNs, 'a fence'));
  }

  /** REQBUFS(0) and a new start. */
  *reopen(lane: StressLane): Task<void> {
    if (this.#device.mapping === 'held') yield* this.#counter.perform(lane, 'reopen', () => this.importer.letGo());
  }

  protected *pause({ random }: StressLane): Task<void> {
    yield* sleepUntil(this.host.clock.now() + Math.ceil(random.exponential(this.#pauseNs)), 'a pause');
  }

  *#maybeSleep({ random }: StressLane): Task<void> {
    if (random.integer(4) === 0)
      yield* sleepUntil(this.host.clock.now() + random.integer(this.#pauseNs), 'work on a page');
  }

  // ---- the directory ----

  /** Those that it may put buffers into. */
  ownListings(): number[] {
    return listingsOf(this.start.plan, this.start.index);
  }

  /** A buffer of the directory, whoever owns it. */
  #pick({ random }: StressLane): BufferHandle | undefined {
    const first = random.integer(this.words.listingCount);
    for (let i = 0; i < 4; i += 1) {
      const handle = this.words.listed((first + i) % this.words.listingCount);
      if (handle !== undefined) return handle;
    }
    return undefined;
  }
}

/** Whether nothing is mapped through it, so that it can be detached. */
export const isIdle = ({ mapCount, detached }: DmaBufAttachment): boolean => mapCount === 0 && !detached;

function pickFrom<T>(list: readonly T[], random: RandomStream): T | undefined {
  return list.length === 0 ? undefined : list[random.integer(list.length)];
}
