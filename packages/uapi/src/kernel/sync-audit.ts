/**
 * Where Linux waits for too little or for too much: found and told, never refused, since Linux goes on.
 *
 *   too little   V4L2 neither waits for the fences on a buffer nor puts any there, so nobody waits for it either
 *   too much     a wait goes by the buffer and by what somebody might do, not by what he does
 *
 * Source: drivers/media/common/videobuf2, where dma_resv does not occur; dma_buf_begin_cpu_access; ttm_bo_wait_ctx; v6.12.
 */
import type { Nanoseconds } from '@dmabuf-lab/core/base';
import type { DmaBufRules } from '@dmabuf-lab/core/dma-buf';
import { type Fence, fenceName, type ResvObject, type ResvUsage, usageToWaitFor } from '@dmabuf-lab/core/sync';

export type BufferAccess = 'read' | 'write';

/** A buffer as findings call it, and where its fences are. */
export interface AuditedBuffer {
  readonly name: string;
  readonly reservation: ResvObject;
}

/** Somebody does something with a buffer. */
export interface BufferUse {
  readonly buffer: AuditedBuffer;
  readonly who: string;
  /** The call by which he does it. */
  readonly op: string;
  readonly access: BufferAccess;
}

/** Work that no fence tells of. */
interface SilentWork {
  readonly use: BufferUse;
  readonly sinceNs: Nanoseconds;
  /** What has been told of it. */
  readonly told: Set<string>;
}

/** A wait that is over. */
export interface OverlongWait {
  readonly fence: Fence;
  readonly fromNs: Nanoseconds;
  readonly untilNs: Nanoseconds;
}

const NS_PER_MS = 1_000_000;
const ms = (ns: Nanoseconds): string => `${(ns / NS_PER_MS).toFixed(3)} ms`;

export class SyncAudit {
  readonly #silent = new Map<ResvObject, Set<SilentWork>>();
  readonly #published = new WeakMap<Fence, Nanoseconds>();

  constructor(
    private readonly rules: DmaBufRules,
    private readonly now: () => Nanoseconds,
  ) {}

  /** A fence is on a reservation from now on. */
  published(fence: Fence): void {
    if (!this.#published.has(fence)) this.#published.set(fence, this.now());
  }

  /**
   * A device begins work that it waits for nothing with, and puts no fence for.
   *
   * @returns to be called when it has ended
   */
  silentWorkBegins(use: BufferUse): () => void {
    this.#findIgnoredFences(use);
    this.goesAhead(use);
    const { reservation } = use.buffer;
    const work: SilentWork = { use, sinceNs: this.now(), told: new Set() };
    const all = this.#silent.get(reservation) ?? new Set();
    this.#silent.set(reservation, all.add(work));
    return () => {
      all.delete(work);
      if (all.size === 0) this.#silent.delete(reservation);
    };
  }

  #findIgnoredFences({ buffer, who, op, access }: BufferUse): void {
    for (const fence of buffer.reservation.getFences(usageToWaitFor(access === 'write'))) {
      const fenceSinceNs = this.#published.get(fence);
      const since = fenceSinceNs === undefined ? '' : `, which is on it since ${ms(fenceSinceNs)}`;
      const remedy = `DMA_BUF_IOCTL_EXPORT_SYNC_FILE for ${access === 'write' ? 'writing' : 'reading'}, and poll it before ${op}`;
      const message = `${who} begins to ${access} ${buffer.name} at ${ms(this.now())} without waiting for ${fenceName(fence)}${since}: V4L2 waits for no fence. Remedy: ${remedy}`;
      const details = { access, other: fenceName(fence), atNs: this.now(), otherSinceNs: fenceSinceNs, remedy };
      this.rules.note({ kind: 'v4l2-ignores-fence', op, buffer: buffer.name, who, message, details });
    }
  }

  /** Somebody begins to use a buffer, having waited for whatever fences there are. */
  goesAhead({ buffer, who, op, access }: BufferUse): void {
    for (const { use, sinceNs, told } of this.#silent.get(buffer.reservation) ?? []) {
      const key = `${who} ${op} ${access}`;
      if ((access === 'read' && use.access === 'read') || told.has(key)) continue;
      told.add(key);
      const remedy = `wait for VIDIOC_DQBUF of the buffer before ${op}`;
      const verb = use.access === 'write' ? 'writing' : 'reading';
      const message = `${who} goes ahead to ${access} ${buffer.name} at ${ms(this.now())}, while ${use.who} is ${verb} it since ${ms(sinceNs)}: V4L2 puts no fence on it. Remedy: ${remedy}`;
      const details = {
        access,
        other: use.who,
        otherAccess: use.access,
        atNs: this.now(),
        otherSinceNs: sinceNs,
        remedy,
      };
      this.rules.note({ kind: 'ahead-of-v4l2', op, buffer: buffer.name, who, message, details });
    }
  }

  /** A wait lasted longer than conflicting work did. */
  waitedTooLong(use: BufferUse, { fence, fromNs, untilNs }: OverlongWait, why: string, remedy: string): void {
    const { buffer, who, op, access } = use;
    const other = fenceName(fence);
    const message = `${who} waited from ${ms(fromNs)} to ${ms(untilNs)} for ${other} on ${buffer.name}, ${why}. Remedy: ${remedy}`;
    const details = { access, other, fromNs, atNs: untilNs, otherSinceNs: this.#published.get(fence), remedy };
    this.rules.note({ kind: 'wait-without-conflict', op, buffer: buffer.name, who, message, details });
  }
}

/** What a wait waits for, and what it has to wait for. */
export interface WatchedWait {
  readonly reservation: ResvObject;
  /** Usages that conflict with what is going to be done. */
  readonly conflictsUpTo: ResvUsage;
  /** Usages that are waited for. */
  readonly waitsUpTo: ResvUsage;
  /** Fences that are waited for anyhow; absent = none. */
  readonly needed?: readonly Fence[];
  readonly fromNs: Nanoseconds;
}

/**
 * A wait that is about to begin, of which only a part is for conflicting work.
 *
 * @returns to be called when it is over: the parts that nothing conflicting asked for
 */
export function watchWait(wait: WatchedWait): () => OverlongWait[] {
  const { reservation, conflictsUpTo, waitsUpTo, needed = [], fromNs } = wait;
  const conflicting = [...reservation.getFences(conflictsUpTo), ...needed];
  const others = reservation.getFences(waitsUpTo).filter((fence) => !conflicting.includes(fence));
  return () => {
    if (conflicting.some((fence) => !fence.isSignalled())) return [];
    const neededUntilNs = Math.max(fromNs, ...conflicting.map(({ timestampNs }) => timestampNs ?? 0));
    return others.flatMap((fence) => {
      const untilNs = fence.timestampNs;
      return untilNs !== undefined && untilNs > neededUntilNs ? [{ fence, fromNs: neededUntilNs, untilNs }] : [];
    });
  };
}
