/**
 * The move of a buffer to other pages.
 *
 *   target allocated -> MOVING set -> mappings drained, then pins (no lock held) -> reservation locked -> constraints and
 *   pins checked again -> dynamic importers told (moveNotify) -> fences waited for, up to BOOKKEEP -> copied -> generation
 *   published, MOVING cleared -> unlocked -> old pages freed
 *
 * Draining before locking is sound since a job publishes its fences while it is mapped: once nobody is mapped, every
 * fence is visible. Locking first deadlocks with a mapped job that is about to publish (docs/decisions/0003).
 * A detach is served while a move waits, and the slot may be another device's before the move is woken: so it looks each
 * time whether it still waits for an attachment of its buffer, and tells of those in the way as it has found them.
 * A failure at any step clears MOVING, wakes those who wait, unlocks and frees the target: the generation is unchanged.
 *
 * Differs: Linux has no counterpart; the nearest is ttm_bo_evict with dma_buf_move_notify, v6.12. A job of a dynamic
 * importer that finds the buffer being moved waits for STATE, where a driver of Linux would map at once and let the job
 * wait for the move's fence: both begin when the copy is done.
 */
import {
  type ActorServices,
  attemptUntil,
  ErrnoError,
  isErrno,
  type Nanoseconds,
  sleepUntil,
  type Task,
  TIMED_OUT,
  type WordPark,
} from '../base/index.js';
import { pinnedForStayText } from '../constraints/index.js';
import {
  type AttachedDevice,
  type BufferWords,
  type ExportedBuffer,
  type ExporterPolicy,
  type ExporterWords,
  generationOf,
  type HeapAllocation,
  holdsInPlace,
  type MovableStorage,
  type MoveCause,
  type MoveRecord,
  type Mover,
  pinsForItsStay,
  type StorageCosts,
} from '../dma-buf/index.js';
import type { PhysicalMemory } from '../memory/index.js';
import { type AcquireContext, DmaResv, ResvUsage, type ResvWords, type TimelineWords } from '../sync/index.js';

export interface MoveParts {
  readonly services: ActorServices;
  readonly memory: PhysicalMemory;
  readonly buffers: BufferWords;
  readonly queues: ExporterWords;
  readonly resv: ResvWords;
  readonly timelines: TimelineWords;
  readonly policy: ExporterPolicy;
  readonly costs: StorageCosts;
  readonly storage: MovableStorage;
  /** Told after each move that was made. Must not wait. */
  readonly onMoved?: () => void;
}

/** What is written down while a move goes on. */
interface Progress {
  readonly startNs: Nanoseconds;
  drainedNs: Nanoseconds;
  readonly waited: { device: string; ns: Nanoseconds }[];
  readonly notified: string[];
}

export class BufferMover implements Mover {
  /** Bytes that moves have copied: the only copies the framework makes. */
  bytesCopied = 0;

  constructor(private readonly parts: MoveParts) {}

  *move(buffer: ExportedBuffer, target: HeapAllocation, cause: MoveCause): Task<void> {
    const { buffers, services } = this.parts;
    const startNs = services.clock.now();
    const progress: Progress = { startNs, drainedNs: startNs, waited: [], notified: [] };
    const waitNs = this.parts.policy.onBusy === 'wait' ? this.parts.policy.timeoutNs : 0;
    const untilNs = startNs + waitNs;
    let locked: AcquireContext | undefined;
    buffers.beginMove(buffer.slot);
    try {
      this.#refuseToAwaitAsker(buffer, cause);
      yield* this.#drain(buffer, untilNs, progress);
      locked = yield* this.#lock(buffer, untilNs);
      this.#recheck(buffer, target, cause);
      this.#notify(buffer, progress);
      yield* this.#awaitFences(buffer, untilNs);
      if (buffer.orphaned) throw this.#exporterDied(buffer);
      progress.drainedNs = services.clock.now();
    } catch (error) {
      buffers.abortMove(buffer.slot);
      if (locked !== undefined) this.parts.resv.unlock(buffer.slot, locked);
      this.parts.storage.release(target);
      if (isErrno(error)) this.#recordFailure(buffer, target, cause, progress, error);
      throw error;
    }
    yield* this.#copy(buffer, target);
    const old = buffer.allocation;
    buffer.incoming = target;
    this.parts.storage.note(buffer);
    buffer.allocation = target;
    buffer.generation = generationOf(buffers.publish(buffer.slot));
    buffer.incoming = undefined;
    this.parts.resv.unlock(buffer.slot, locked);
    this.parts.storage.settle(buffer);
    if (old !== undefined) this.parts.storage.release(old);
    buffer.blockers.clear();
    buffer.placed({ heap: target.heap, atNs: services.clock.now(), why: cause.reason });
    this.#record(buffer, old?.heap ?? '', target, cause, progress, 'moved');
    this.parts.storage.note(buffer);
    this.parts.onMoved?.();
  }

  giveUp(buffer: ExportedBuffer): void {
    const { buffers, resv, timelines } = this.parts;
    for (const slot of buffer.attachments.keys()) buffers.wakeMover(slot);
    resv.wake(buffer.slot);
    // Nobody adds one while the move waits for them, under the lock.
    for (const { fence } of resv.fences(buffer.slot)) timelines.wake(fence.timeline);
  }

  /**
   * Another generator of the device whose map asks for the move may have mapped the buffer since the exporter looked, and keep it
   * mapped until the asker goes on: the move would wait for its own asker. That device needs no move; who does asks again.
   */
  #refuseToAwaitAsker(buffer: ExportedBuffer, { asker }: MoveCause): void {
    const asking = asker === undefined ? undefined : buffer.attachments.get(asker);
    if (asking === undefined || buffer.allocation === undefined || this.parts.buffers.mappings(asking.slot) === 0)
      return;
    if (this.parts.storage.violation(buffer.allocation, asking.constraints) !== undefined) return;
    const reason = `${asking.device}, whose map has asked for it, has it mapped by now`;
    const details = { buffer: buffer.name, holders: [asking.device] };
    throw new ErrnoError('ECANCELED', 'dma_buf_move', `Cannot move ${buffer.name}: ${reason}`, details);
  }

  /** Waits, holding no lock, until no device and no CPU user has the buffer mapped, and none has it pinned. */
  *#drain(buffer: ExportedBuffer, untilNs: Nanoseconds, progress: Progress): Task<void> {
    const { buffers } = this.parts;
    const { clock } = this.parts.services;
    for (;;) {
      if (buffer.orphaned) throw this.#exporterDied(buffer);
      // Looked up anew each time: a detach is served while a buffer moves.
      const all = [...buffer.attachments.values()];
      const forStay = all.filter((a) => pinsForItsStay(a) && buffers.pinsOf(a.slot) > 0);
      if (forStay.length > 0) throw this.#pinnersInTheWay(buffer, forStay);
      const mapped = all.find((a) => buffers.mappings(a.slot) > 0);
      // Pins after mappings: whoever has unmapped since the look above may have pinned before (P7).
      const holder = mapped ?? all.find((a) => buffers.pinsOf(a.slot) > 0);
      if (holder === undefined) return;
      const { slot, device } = holder;
      const isMapped = mapped !== undefined;
      if (!isMapped && pinsForItsStay(holder)) throw this.#pinnersInTheWay(buffer, [holder]);
      const since = clock.now();
      const step = () => {
        // Detached while this waited: the slot may be somebody else's by now, on another buffer.
        if (buffer.attachments.get(slot) !== holder || buffer.orphaned) return true;
        return isMapped ? buffers.drainedStep(slot) : buffers.unpinnedStep(slot);
      };
      const outcome = yield* attemptUntil(step, untilNs);
      progress.waited.push({ device, ns: clock.now() - since });
      if (outcome !== TIMED_OUT) continue;
      const rest = [...buffer.attachments.values()].filter((one) => one !== holder);
      if (isMapped) throw this.#holdersInTheWay(buffer, [holder, ...rest.filter((a) => buffers.mappings(a.slot) > 0)]);
      throw this.#pinnersInTheWay(buffer, [holder, ...rest.filter((a) => buffers.pinsOf(a.slot) > 0)]);
    }
  }

  /** Under the lock: tells the dynamic importers that their mappings end with the fences. Asks nothing of them. */
  #notify(buffer: ExportedBuffer, progress: Progress): void {
    for (const { slot, device, importer } of buffer.attachments.values()) {
      if (importer !== 'dynamic') continue;
      this.parts.buffers.notifyMove(slot);
      progress.notified.push(device);
    }
    if (progress.notified.length === 0) return;
    const { services } = this.parts;
    const args = { devices: progress.notified.join(', ') };
    services.trace.add({ track: `buffer ${buffer.name}`, name: 'moveNotify', startNs: services.clock.now(), args });
  }

  *#lock(buffer: ExportedBuffer, untilNs: Nanoseconds): Task<AcquireContext> {
    const context = this.parts.resv.acquireContext(this.parts.services.id);
    const step = (): 'locked' | 'over' | WordPark =>
      buffer.orphaned ? 'over' : this.parts.resv.lockSlowStep(buffer.slot, context);
    const outcome = yield* attemptUntil(step, untilNs);
    if (outcome === 'over') throw this.#exporterDied(buffer);
    if (outcome !== TIMED_OUT) return context;
    throw new ErrnoError(this.#late, 'dma_resv_lock', `Cannot move ${buffer.name}: its reservation is locked`, {
      buffer: buffer.name,
      holders: [],
    });
  }

  #recheck(buffer: ExportedBuffer, target: HeapAllocation, cause: MoveCause): void {
    const refuse = (code: 'ECANCELED' | 'EBUSY', reason: string): never => {
      throw new ErrnoError(code, 'dma_buf_move', `Cannot move ${buffer.name}: ${reason}`, {
        buffer: buffer.name,
        holders: [],
      });
    };
    if (buffer.orphaned) throw this.#exporterDied(buffer);
    if (cause.attachments?.some((slot) => buffer.attachments.has(slot)) === false) {
      refuse('ECANCELED', 'no device is left that it was to move for');
    }
    const importers = [...buffer.attachments.values()].map(({ slot }) => this.parts.buffers.pinsOf(slot));
    const pins = importers.reduce((sum, count) => sum + count, this.parts.buffers.pins(buffer.slot));
    if (pins > 0) refuse('EBUSY', `it is pinned ${pins} times`);
    for (const { device, constraints } of buffer.attachments.values()) {
      const violation = this.parts.storage.violation(target, constraints);
      if (violation !== undefined) refuse('EBUSY', `${device} could not reach ${target.heap}: ${violation}`);
    }
  }

  *#awaitFences(buffer: ExportedBuffer, untilNs: Nanoseconds): Task<void> {
    const resv = new DmaResv(this.parts.resv, this.parts.timelines, buffer.slot);
    try {
      yield* resv.waitUntil(ResvUsage.Bookkeep, untilNs, `a fence on ${buffer.name}`, () => buffer.orphaned);
    } catch (error) {
      if (!isErrno(error, 'ETIMEDOUT')) throw error;
      throw new ErrnoError(this.#late, 'dma_resv_wait_timeout', `Cannot move ${buffer.name}: a fence is pending`, {
        buffer: buffer.name,
        holders: [],
        ...error.details,
      });
    }
  }

  /** Copies at the modelled bandwidth, or as long as it really takes; copies share one engine. */
  *#copy(buffer: ExportedBuffer, target: HeapAllocation): Task<void> {
    const { queues, memory, costs, services } = this.parts;
    const source = buffer.allocation;
    if (source === undefined) return;
    const copy = function* (mover: BufferMover): Task<void> {
      const doneNs = services.clock.now() + costs.copyNs(buffer.sizeBytes);
      mover.bytesCopied += memory.copyRuns(target.sgTable.runs, source.sgTable.runs);
      yield* sleepUntil(doneNs, `copying ${buffer.name}`);
    };
    yield* queues.serialised(queues.copyEngine, () => copy(this));
  }

  /** What a move that cannot go on is refused with: it waited, or was not to wait. */
  get #late(): 'ETIMEDOUT' | 'EBUSY' {
    return this.parts.policy.onBusy === 'wait' ? 'ETIMEDOUT' : 'EBUSY';
  }

  #exporterDied({ name }: ExportedBuffer): ErrnoError {
    const message = `Cannot move ${name}: the driver that exported it has died`;
    return new ErrnoError('ENODEV', 'dma_buf_move', message, { buffer: name, holders: [] });
  }

  /** `holders` as they were seen: by now some may have let go. */
  #holdersInTheWay(buffer: ExportedBuffer, holders: readonly AttachedDevice[]): ErrnoError {
    for (const holder of holders) if (holdsInPlace(holder)) buffer.blockers.add(holder.slot);
    const names = holders.map((holder) => holder.device);
    const held = holders.some(holdsInPlace) ? ', which holds its mappings until REQBUFS(0)' : '';
    return new ErrnoError(
      this.#late,
      'dma_buf_move',
      `Cannot move ${buffer.name}: it is mapped by ${names.join(', ')}${held}`,
      {
        buffer: buffer.name,
        holders: names,
      },
    );
  }

  /** Pins that a move does not outwait: those of a stay at once, those of jobs when its time is up. */
  #pinnersInTheWay(buffer: ExportedBuffer, pinners: readonly AttachedDevice[]): ErrnoError {
    const names = pinners.map((pinner) => pinner.device);
    const forStay = pinners.filter(pinsForItsStay).map((pinner) => pinner.device);
    const why = forStay.length > 0 ? pinnedForStayText(forStay) : `it is pinned by ${names.join(', ')}`;
    const code = forStay.length > 0 ? 'EBUSY' : this.#late;
    const details = { buffer: buffer.name, holders: names };
    return new ErrnoError(code, 'dma_buf_move', `Cannot move ${buffer.name}: ${why}`, details);
  }

  #recordFailure(
    buffer: ExportedBuffer,
    target: HeapAllocation,
    cause: MoveCause,
    progress: Progress,
    error: ErrnoError,
  ): void {
    const { code, message } = error;
    const holders = (error.details.holders ?? []) as string[];
    const outcome = code === 'ETIMEDOUT' ? 'timed-out' : 'refused';
    this.#record(buffer, buffer.allocation?.heap ?? '', target, cause, progress, outcome, { code, message, holders });
    this.parts.storage.note(buffer);
  }

  #record(
    buffer: ExportedBuffer,
    from: string,
    target: HeapAllocation,
    cause: MoveCause,
    progress: Progress,
    outcome: MoveRecord['outcome'],
    error?: MoveRecord['error'],
  ): void {
    const endNs = this.parts.services.clock.now();
    const { reason, forcedBy, requestedNs } = cause;
    const { startNs, drainedNs, waited, notified } = progress;
    const to = target.heap;
    const bytes = outcome === 'moved' ? buffer.sizeBytes : 0;
    const fixed = { buffer: buffer.name, from, to, bytes, reason, forcedBy, requestedNs, startNs, drainedNs, endNs };
    const told = { ...(notified.length > 0 && { notified }), ...(error !== undefined && { error }) };
    buffer.moveEnded({ ...fixed, outcome, waited, ...told });
    const { trace } = this.parts.services;
    const track = `buffer ${buffer.name}`;
    trace.add({
      track,
      name: `move: ${outcome}`,
      startNs,
      durationNs: endNs - startNs,
      args: { from, to, bytes, reason },
    });
    if (drainedNs > startNs) trace.add({ track, name: 'drain', startNs, durationNs: drainedNs - startNs });
    if (outcome === 'moved') trace.add({ track, name: 'copy', startNs: drainedNs, durationNs: endNs - drainedNs });
  }
}
