/**
 * A job: a device works on a set of buffers.
 *
 * It waits for the fences that order it behind others, maps its set, then locks all reservations of the set, publishes
 * its fence on all of them and unlocks; then it works, signals and unmaps. Signal and unmap take no lock and never wait.
 *
 * Source: the submit path of a GPU driver (drm_exec, dma_resv_add_fence, drm_sched), v6.12.
 */
import type { ActorServices, BufferSlot, Nanoseconds, Task } from '../base/index.js';
import type { DmaBufAttachment, DmaBufImporter, DmaMapping } from '../dma-buf/index.js';
import {
  type DmaFence,
  DmaResv,
  fenceStatus,
  lockReservations,
  ResvUsage,
  tryLockReservations,
  usageToWaitFor,
  waitFence,
} from '../sync/index.js';
import type { Frame } from './frame.js';
import type { Lane } from './lane.js';
import type { OpenTables } from './shared-tables.js';
import type { DeviceStatistics } from './statistics.js';

/** A buffer of a job, and what the device does with it. */
export interface Access {
  readonly frame: Frame;
  readonly write: boolean;
}

export interface JobOptions {
  /** Publish a fence. Off for scan-out, which pins what it shows and adds none. Default on. */
  readonly publish?: boolean;
}

/** What a job works with. */
export interface JobParts {
  readonly services: ActorServices;
  readonly tables: OpenTables;
  readonly importer: DmaBufImporter;
  readonly statistics: DeviceStatistics;
}

export class Job {
  #ended = false;

  private constructor(
    private readonly parts: JobParts,
    private readonly lane: Lane,
    private readonly accesses: readonly Access[],
    private readonly mappings: readonly DmaMapping[],
    /** Signalled when the job has ended. */
    readonly fence: DmaFence | undefined,
    readonly startNs: Nanoseconds,
    /** How long the device waited for storage: the stall that a move causes. */
    readonly stalledNs: Nanoseconds,
  ) {}

  /**
   * Begins a job.
   *
   * @throws ErrnoError as `DmaBufImporter.mapAll` and `attach`; EIO when the content of a frame ended with an error.
   *   Nothing is mapped and no fence is owed then
   */
  static *begin(parts: JobParts, lane: Lane, accesses: readonly Access[], options: JobOptions = {}): Task<Job> {
    const { clock } = parts.services;
    const waitingNs = clock.now();
    for (const access of accesses) if (mustWait(parts, access)) yield* awaitFences(parts, access);
    const mappingNs = clock.now();
    parts.statistics.fenceWaitNs += mappingNs - waitingNs;
    const attachments: DmaBufAttachment[] = [];
    for (const { frame } of accesses) {
      const known = parts.importer.attachmentOf(frame.buffer);
      attachments.push(known ?? (yield* parts.importer.attach(frame.buffer)));
    }
    const stalledBeforeNs = parts.importer.stalledNs;
    const mappings = yield* parts.importer.mapAll(attachments, lane);
    const stalledNs = parts.importer.stalledNs - stalledBeforeNs;
    const startNs = clock.now();
    const fence = options.publish === false ? undefined : yield* publish(parts, lane, accesses);
    return new Job(parts, lane, accesses, mappings, fence, startNs, stalledNs);
  }

  /** The pages of a buffer of the job: one view a run. */
  segments(frame: Frame): readonly Uint8Array[] {
    return this.#mappingOf(frame).segments();
  }

  /** DMA segments and bytes of all buffers of the job, for a bandwidth model. */
  get transfer(): { readonly bytes: number; readonly segments: number } {
    let bytes = 0;
    let segments = 0;
    for (const [i, { frame }] of this.accesses.entries()) {
      bytes += frame.format.sizeBytes;
      segments += this.parts.importer.segmentCount(this.mappings[i]);
    }
    return { bytes, segments };
  }

  /** Ends the job: signals its fence, with an error if it failed, and unmaps. */
  end(error?: 'EIO' | 'ECANCELED'): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.fence !== undefined) this.lane.pay(this.fence, error);
    for (const mapping of this.mappings) this.parts.importer.unmap(mapping);
    if (this.parts.services.trace.enabled) this.#trace(error);
  }

  #trace(error: string | undefined): void {
    const { services } = this.parts;
    services.trace.add({
      track: services.name,
      name: error === undefined ? 'job' : `job: ${error}`,
      startNs: this.startNs,
      durationNs: services.clock.now() - this.startNs,
      args: { sequence: this.accesses[0].frame.sequence },
    });
  }

  #mappingOf(frame: Frame): DmaMapping {
    const index = this.accesses.findIndex((access) => access.frame.row === frame.row);
    return this.mappings[index];
  }
}

/** Whether a fence is in the way of an access, or ended with an error: the common case is that none is. */
function mustWait({ tables }: JobParts, { frame, write }: Access): boolean {
  const { acquireFence } = frame;
  if (acquireFence !== undefined && fenceStatus(tables.timelines, acquireFence) !== 1) return true;
  return !new DmaResv(tables.resv, tables.timelines, frame.buffer.slot).testSignalled(usageToWaitFor(write));
}

/** Explicit first, then implicit: the acquire fence that came with the frame, and what the reservation knows. */
function* awaitFences(parts: JobParts, { frame, write }: Access): Task<void> {
  const { timelines, resv } = parts.tables;
  const { acquireFence } = frame;
  if (acquireFence !== undefined) {
    const status = yield* waitFence(timelines, acquireFence, 'an acquire fence');
    if (status < 0) frame.error = -status;
  }
  const reservation = new DmaResv(resv, timelines, frame.buffer.slot);
  const usage = usageToWaitFor(write);
  if (!reservation.testSignalled(usage)) yield* reservation.wait(usage, 'an implicit fence');
}

function* publish(parts: JobParts, lane: Lane, accesses: readonly Access[]): Task<DmaFence> {
  const { resv, timelines } = parts.tables;
  const slots: BufferSlot[] = accesses.map(({ frame }) => frame.buffer.slot);
  const context = resv.acquireContext(parts.services.id);
  if (!tryLockReservations(resv, slots, context)) yield* lockReservations(resv, slots, context);
  const reservations = slots.map((slot) => new DmaResv(resv, timelines, slot));
  for (const reservation of reservations) reservation.reserveFences(1);
  const fence = lane.owe();
  for (const [i, reservation] of reservations.entries()) {
    reservation.addFence(fence, accesses[i].write ? ResvUsage.Write : ResvUsage.Read);
  }
  for (const slot of slots) resv.unlock(slot, context);
  return fence;
}
