import type { Task } from '../../base/index.js';
import { usageToWaitFor } from '../../sync/index.js';
import type { DmaBufCaller } from './caller.js';
import { type DataDirection, isCpuWrite, type ObjectVma, type ResvWaiter } from './object-ops.js';
import type { ObjectParts } from './object-parts.js';

/** A CPU access that has begun and not ended. */
interface OpenCpuAccess {
  readonly direction: DataDirection;
  readonly who: string;
}

/**
 * The CPU accesses of a buffer, those that are open among them; Linux does not count them.
 *
 * An access counts from before the exporter is asked, so that a move that starts meanwhile sees it. The lock is not held.
 * Source: dma_buf_begin_cpu_access, dma_buf_end_cpu_access, v6.12.
 */
export class CpuAccesses<Table, Vma extends ObjectVma> {
  readonly #open = new Set<OpenCpuAccess>();

  constructor(private readonly parts: ObjectParts<Table, Vma>) {}

  /** Such as `camera (to-device)`. */
  get open(): string[] {
    return [...this.#open].map(({ direction, who }) => `${who} (${direction})`);
  }

  *begin(caller: DmaBufCaller, direction: DataDirection, wait: ResvWaiter): Task<void> {
    const { exporter, reservation, name } = this.parts;
    const access: OpenCpuAccess = { direction, who: caller.name };
    this.#open.add(access);
    let hasBegun = false;
    try {
      yield* exporter.beginCpuAccess(direction, caller);
      yield* wait(reservation, usageToWaitFor(isCpuWrite(direction)), `the fences of ${name}`);
      hasBegun = true;
    } finally {
      if (!hasBegun) this.#remove(access);
    }
  }

  end(caller: DmaBufCaller, direction: DataDirection): void {
    const access = this.#matching(direction, caller.name);
    if (access === undefined) this.parts.audit.cpuAccessUnbalanced(caller, direction, this.open);
    this.parts.exporter.endCpuAccess(direction, caller);
    if (access !== undefined) this.#remove(access);
  }

  /** The one that an end belongs to: of its direction, the same caller's first, else the latest. */
  #matching(direction: DataDirection, who: string): OpenCpuAccess | undefined {
    const same = [...this.#open].filter((access) => access.direction === direction);
    return same.findLast((access) => access.who === who) ?? same.at(-1);
  }

  #remove(access: OpenCpuAccess): void {
    this.#open.delete(access);
    this.parts.changes.wake();
  }
}
