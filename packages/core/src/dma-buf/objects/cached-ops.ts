import type { Nanoseconds, Task } from '../../base/index.js';
import type { ObjectAttachment } from './attachment.js';
import type { DmaBufCaller } from './caller.js';
import type { CpuView } from './cpu-cache.js';
import type { DataDirection, DmaBufObjectOps, ObjectVma } from './object-ops.js';

/**
 * The ops of an exporter whose buffer the CPU reaches through a cache: those that hand the buffer from the CPU to devices,
 * and back, do the maintenance.
 *
 * @param spend lets its time pass, where the call may wait; absent = it takes none. The end of a CPU access and unmap never wait:
 *   whoever calls them has it in the cost of the cache
 * Source: dma_sync_sgtable_for_cpu in the heaps' begin_cpu_access, and the maintenance within dma_map_sgtable, v6.12.
 */
export function withCpuCache<Table, Vma extends ObjectVma>(
  ops: DmaBufObjectOps<Table, Vma>,
  view: CpuView,
  spend?: (ns: Nanoseconds) => Task<void>,
): DmaBufObjectOps<Table, Vma> {
  const cached: DmaBufObjectOps<Table, Vma> = {
    *mapDmaBuf(
      attachment: ObjectAttachment<Table>,
      direction: DataDirection,
      caller: DmaBufCaller,
    ): Task<Table | undefined> {
      const spentNs = view.syncForDevice(direction); // first, since it may refuse
      if (spend !== undefined && spentNs > 0) yield* spend(spentNs);
      return yield* ops.mapDmaBuf(attachment, direction, caller);
    },
    unmapDmaBuf(attachment, table, direction, caller) {
      view.syncForCpuAtUnmap(direction);
      ops.unmapDmaBuf(attachment, table, direction, caller);
    },
    *beginCpuAccess(direction: DataDirection, caller: DmaBufCaller): Task<void> {
      if (ops.beginCpuAccess !== undefined) yield* ops.beginCpuAccess(direction, caller);
      const spentNs = view.syncForCpu(direction);
      if (spend !== undefined && spentNs > 0) yield* spend(spentNs);
    },
    endCpuAccess(direction, caller) {
      view.syncForDevice(direction);
      ops.endCpuAccess?.(direction, caller);
    },
    release(caller) {
      view.discard();
      ops.release(caller);
    },
    ...optionalOps(ops),
  };
  return cached;
}

/** What the cache has no part in; what is missing stays missing. */
function optionalOps<Table, Vma extends ObjectVma>(
  ops: DmaBufObjectOps<Table, Vma>,
): Partial<DmaBufObjectOps<Table, Vma>> {
  return {
    ...(ops.attach !== undefined && { attach: ops.attach.bind(ops) }),
    ...(ops.detach !== undefined && { detach: ops.detach.bind(ops) }),
    ...(ops.pin !== undefined && { pin: ops.pin.bind(ops) }),
    ...(ops.unpin !== undefined && { unpin: ops.unpin.bind(ops) }),
    ...(ops.mmap !== undefined && { mmap: ops.mmap.bind(ops) }),
    ...(ops.vmap !== undefined && { vmap: ops.vmap.bind(ops) }),
    ...(ops.vunmap !== undefined && { vunmap: ops.vunmap.bind(ops) }),
  };
}
