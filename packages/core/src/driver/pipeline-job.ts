/**
 * A job: a device works on a set of buffers.
 *
 * It waits for the fences that order it behind others, maps its set, then locks all reservations of the set, publishes
 * its fence on all of them and unlocks; then it works, signals and unmaps. Signal and unmap take no lock and never wait.
 * From the publishing on, the fence stands for the mappings of a dynamic importer; a job without a fence keeps them.
 *
 * Source: the submit path of a GPU driver (drm_exec, dma_resv_add_fence, drm_sched), v6.12.
 */
import {
  type ActorServices,
  type BufferSlot,
  ERRNO,
  ErrnoError,
  isErrno,
  type Nanoseconds,
  sleepUntil,
  type Task,
} from '../base/index.js';
import type {
  BufferHandle,
  CpuFrameCache,
  DmaBufAttachment,
  DmaBufImporter,
  DmaMapping,
  UseLog,
} from '../dma-buf/index.js';
import {
  type AcquireContext,
  type DmaFence,
  DmaResv,
  fenceStatus,
  lockReservations,
  ResvUsage,
  tryLockReservations,
  usageToWaitFor,
  waitFence,
} from '../sync/index.js';
import type { AccessWatch, WatchedAccess } from './access-watch.js';
import type { Access, Frame, Job, JobOptions } from './driver-port.js';
import type { PipelineLane } from './pipeline-lane.js';
import type { PlainLocks } from './plain-locks.js';
import type { OpenTables } from './shared-tables.js';
import type { DeviceStatistics } from './statistics.js';

/** What a job works with. */
export interface JobParts {
  readonly services: ActorServices;
  readonly tables: OpenTables;
  readonly importer: DmaBufImporter;
  readonly statistics: DeviceStatistics;
  /** The cache of a device that is a program on the CPU; absent where it sees memory as devices do. */
  readonly cpu?: CpuFrameCache;
  /** Where fences are written down with their times; absent = nobody watches how long they last. */
  readonly uses?: UseLog;
  /** Follows every access; absent = nobody does. */
  readonly watch?: AccessWatch;
  /** Locks reservations without acquire contexts; absent = they are locked with one, and whoever is younger backs off. */
  readonly plainLocks?: PlainLocks;
}

/** A frame as a job takes it: a buffer, and the fence after which its content may be read. */
export interface JobFrame extends Frame {
  readonly buffer: BufferHandle;
  /** Tells the frames of one job from each other. */
  readonly row: number;
  readonly acquireFence: DmaFence | undefined;
  /** The driver has it still; absent = it says nothing of that. */
  readonly isLent?: boolean;
}

export class PipelineJob implements Job {
  #ended = false;
  /** The line of the driver that has begun it, where that is wanted. */
  site: string | undefined;
  /** Of each access, where somebody follows them. */
  readonly #watched: readonly WatchedAccess[] = [];

  private constructor(
    private readonly parts: JobParts,
    private readonly lane: PipelineLane,
    private readonly accesses: readonly Access<JobFrame>[],
    private readonly mappings: readonly DmaMapping[],
    /** Signalled when the job has ended. */
    readonly fence: DmaFence | undefined,
    readonly startNs: Nanoseconds,
    readonly stalledNs: Nanoseconds,
  ) {
    const { watch } = parts;
    if (watch === undefined) return;
    const { slot } = lane.timeline;
    this.#watched = accesses.map(({ frame: { buffer }, write }, i) =>
      watch.begin({ lane: slot, buffer, mapping: mappings[i], fence, writes: write }),
    );
  }

  /**
   * Begins a job.
   *
   * A frame whose content ended with an error begins like any other: `Frame.error` says so.
   *
   * @throws ErrnoError as `DmaBufImporter.mapAll` and `attach`. Nothing is mapped and no fence is owed then
   */
  static *begin(
    parts: JobParts,
    lane: PipelineLane,
    accesses: readonly Access<JobFrame>[],
    options: JobOptions = {},
  ): Task<PipelineJob> {
    const { clock } = parts.services;
    if (yield* parts.importer.reopenIfAsked()) parts.statistics.count('reqbufs');
    const attachments: DmaBufAttachment[] = [];
    for (const { frame } of accesses) {
      const known = parts.importer.attachmentOf(frame.buffer);
      attachments.push(known ?? (yield* parts.importer.attach(frame.buffer)));
    }
    const stalledBeforeNs = parts.importer.stalls.totalNs;
    for (;;) {
      const waitingNs = clock.now();
      for (const access of accesses) if (mustWait(parts, access)) yield* awaitFences(parts, lane, access);
      const waitedNs = clock.now() - waitingNs;
      parts.statistics.fenceWaitNs += waitedNs;
      if (waitedNs > 0 && parts.services.trace.enabled) traceWait(parts, waitingNs, waitedNs);
      const mappings = yield* mapSet(parts, lane, accesses, attachments);
      parts.importer.beginUse(mappings);
      const fence = options.publish === false ? undefined : yield* publish(parts, lane, accesses, mappings);
      if (fence === CONFLICT) continue; // somebody was quicker: order behind that job
      if (fence !== undefined) {
        parts.uses?.published(fence, mappings);
        parts.importer.leaveToFences(mappings);
      }
      if (parts.cpu !== undefined) yield* beginCpuAccess(parts, parts.cpu, accesses, mappings);
      const stalledNs = parts.importer.stalls.totalNs - stalledBeforeNs;
      return new PipelineJob(parts, lane, accesses, mappings, fence, clock.now(), stalledNs);
    }
  }

  get isOver(): boolean {
    return this.#ended;
  }

  segments(frame: JobFrame): readonly Uint8Array[] {
    const index = this.#indexOf(frame);
    const mapping = this.mappings[index];
    if (this.#watched.length > 0) this.#watched[index].touch();
    return this.parts.cpu?.segments(mapping) ?? mapping.segments();
  }

  get transfer(): { readonly bytes: number; readonly segments: number } {
    let bytes = 0;
    let segments = 0;
    for (const [i, { frame }] of this.accesses.entries()) {
      bytes += frame.format.sizeBytes;
      segments += this.parts.importer.segmentCount(this.mappings[i]);
    }
    return { bytes, segments };
  }

  end(error?: 'EIO' | 'ECANCELED'): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const [i, { frame, write }] of this.accesses.entries()) {
      this.parts.cpu?.end(this.mappings[i], frame.sequence, write);
      if (error !== undefined && write && frame.isLent) frame.error = ERRNO[error];
    }
    for (const access of this.#watched) access.end(error === undefined);
    const endNs = this.parts.services.clock.now(); // before anybody who waits for it can begin
    if (this.fence !== undefined) this.lane.pay(this.fence, error);
    for (const mapping of this.mappings) this.parts.importer.unmap(mapping);
    for (const access of this.#watched) access.ended();
    if (this.parts.services.trace.enabled) this.#trace(endNs, error);
  }

  [Symbol.dispose](): void {
    this.end('ECANCELED');
  }

  #trace(endNs: Nanoseconds, error: string | undefined): void {
    const { services } = this.parts;
    const { startNs } = this;
    const durationNs = endNs - startNs;
    for (const { attachment } of this.mappings) {
      services.trace.add({ track: `buffer ${attachment.name}`, name: `map: ${services.name}`, startNs, durationNs });
    }
    if (this.fence !== undefined) {
      const { timeline, seqno } = this.fence;
      services.trace.add({ track: services.name, name: 'fence', startNs, durationNs, args: { timeline, seqno } });
    }
    services.trace.add({
      track: services.name,
      name: error === undefined ? 'job' : `job: ${error}`,
      startNs,
      durationNs,
      args: { sequence: this.accesses[0].frame.sequence },
    });
  }

  /** The mapping of a frame of the job. */
  mappingOf(frame: JobFrame): DmaMapping {
    return this.mappings[this.#indexOf(frame)];
  }

  #indexOf({ row, sequence }: JobFrame): number {
    const index = this.accesses.findIndex(({ frame }) => frame.row === row);
    if (index >= 0) return index;
    const message = `Cannot reach frame ${sequence}: it is not one of those that this job was begun on`;
    throw new ErrnoError('EINVAL', 'segments', message);
  }
}

/** Maps the set, and says meanwhile that it waits for it. */
function* mapSet(
  parts: JobParts,
  lane: PipelineLane,
  accesses: readonly Access<JobFrame>[],
  attachments: DmaBufAttachment[],
): Task<DmaMapping[]> {
  const { watch, importer } = parts;
  if (watch === undefined) return yield* mapOrAttach(importer, lane, accesses, attachments);
  watch.waits(lane.timeline.slot, accesses[0].frame.buffer);
  try {
    return yield* mapOrAttach(importer, lane, accesses, attachments);
  } finally {
    watch.waits(lane.timeline.slot, undefined);
  }
}

/** Maps the set. What another lane has detached meanwhile, as REQBUFS(0) does, is attached again. */
function* mapOrAttach(
  importer: DmaBufImporter,
  lane: PipelineLane,
  accesses: readonly Access<JobFrame>[],
  attachments: DmaBufAttachment[],
): Task<DmaMapping[]> {
  const isLost = ({ detached, orphaned }: DmaBufAttachment): boolean => detached && !orphaned;
  for (;;) {
    for (const [i, { frame }] of accesses.entries()) {
      if (isLost(attachments[i])) attachments[i] = yield* importer.attach(frame.buffer);
    }
    try {
      return yield* importer.mapAll(attachments, lane);
    } catch (error) {
      if (!isErrno(error, 'ECANCELED') || !attachments.some(isLost)) throw error;
    }
  }
}

/**
 * Begins the CPU's access to all buffers of a job. The maintenance of its end is paid for here too, since a job ends without
 * waiting.
 */
function* beginCpuAccess(
  { services, statistics }: JobParts,
  cpu: CpuFrameCache,
  accesses: readonly Access[],
  mappings: readonly DmaMapping[],
): Task<void> {
  let ns = 0;
  for (const [i, { frame, write }] of accesses.entries()) ns += cpu.begin(mappings[i], frame.sequence, write);
  if (ns === 0) return;
  statistics.count('cpuSyncNs', ns);
  yield* sleepUntil(services.clock.now() + ns, 'cache maintenance');
}

function traceWait({ services }: JobParts, startNs: Nanoseconds, durationNs: Nanoseconds): void {
  services.trace.add({ track: services.name, name: 'wait: fence', startNs, durationNs });
}

/** Whether a fence is in the way of an access, or ended with an error: the common case is that none is. */
function mustWait({ tables }: JobParts, { frame, write }: Access<JobFrame>): boolean {
  const { acquireFence } = frame;
  if (acquireFence !== undefined && fenceStatus(tables.timelines, acquireFence) !== 1) return true;
  return !new DmaResv(tables.resv, tables.timelines, frame.buffer.slot).testSignalled(usageToWaitFor(write));
}

/** Explicit first, then implicit: the acquire fence that came with the frame, and what the reservation knows. */
function* awaitFences(parts: JobParts, { timeline }: PipelineLane, { frame, write }: Access<JobFrame>): Task<void> {
  const { timelines, resv } = parts.tables;
  parts.watch?.waits(timeline.slot, frame.buffer);
  const { acquireFence } = frame;
  if (acquireFence !== undefined) {
    const status = yield* waitFence(timelines, acquireFence, 'an acquire fence');
    if (status < 0) frame.error = -status;
  }
  const reservation = new DmaResv(resv, timelines, frame.buffer.slot);
  const usage = usageToWaitFor(write);
  if (!reservation.testSignalled(usage)) yield* reservation.wait(usage, 'an implicit fence');
  parts.watch?.waits(timeline.slot, undefined);
}

/** A job that conflicts with this one has published its fence since the fences were waited for. */
const CONFLICT: unique symbol = Symbol('conflict');

/** Publishes on the whole set; where that is not to be, nothing stays mapped. Waits only for locks that are taken. */
function* publish(
  parts: JobParts,
  lane: PipelineLane,
  accesses: readonly Access<JobFrame>[],
  mappings: readonly DmaMapping[],
): Task<DmaFence | typeof CONFLICT> {
  const { resv } = parts.tables;
  const slots: BufferSlot[] = accesses.map(({ frame }) => frame.buffer.slot);
  const context = resv.acquireContext(parts.services.id);
  if (parts.plainLocks !== undefined) {
    const buffers = accesses.map(({ frame }) => frame.buffer);
    yield* parts.plainLocks.lock(lane.timeline.slot, buffers, context);
  } else if (!tryLockReservations(resv, slots, context)) yield* lockReservations(resv, slots, context);
  return publishLocked(parts, lane, accesses, mappings, slots, context);
}

/** Under all locks of the set, which it releases: looks for conflicting fences once more, then publishes on all of it. */
function publishLocked(
  parts: JobParts,
  lane: PipelineLane,
  accesses: readonly Access<JobFrame>[],
  mappings: readonly DmaMapping[],
  slots: readonly BufferSlot[],
  context: AcquireContext,
): DmaFence | typeof CONFLICT {
  const { resv, timelines } = parts.tables;
  let fence: DmaFence | typeof CONFLICT = CONFLICT;
  try {
    const reservations = slots.map((slot) => new DmaResv(resv, timelines, slot));
    const isFree = (reservation: DmaResv, i: number): boolean =>
      reservation.testSignalled(usageToWaitFor(accesses[i].write));
    if (reservations.every(isFree)) {
      for (const reservation of reservations) reservation.reserveFences(1);
      fence = lane.owe();
      for (let i = 0; i < reservations.length; i += 1) {
        reservations[i].addFence(fence, accesses[i].write ? ResvUsage.Write : ResvUsage.Read);
      }
    }
    return fence;
  } finally {
    for (const slot of slots) resv.unlock(slot, context);
    if (fence === CONFLICT) for (const mapping of mappings) parts.importer.unmap(mapping);
  }
}
