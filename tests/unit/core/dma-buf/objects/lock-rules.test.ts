import type { Task } from '@dmabuf-lab/core/base';
import {
  CALL_LOCK_RULES,
  CALLBACK_LOCK_RULES,
  DmaBufCaller,
  type DmaBufObjectOps,
  type LockedCall,
  type LockedCallback,
  mapAttachmentUnlocked,
  type ObjectAttachment,
  type ObjectMapping,
  pinUnlocked,
  unmapAttachmentUnlocked,
  unpinUnlocked,
  vmapUnlocked,
  vunmapUnlocked,
} from '@dmabuf-lab/core/dma-buf';
import { ResvObject, WwClass } from '@dmabuf-lab/core/sync';
import test from 'ava';
import { follower, LoggedOps, ObjectBench, type Table, vma } from './object-bench.js';

/** A buffer of kernel 7 on which every call can be made: mapped, pinned, vmapped, with an open CPU access. */
class Stage {
  readonly bench = new ObjectBench({ kernel: '7' });
  readonly attachment: ObjectAttachment<Table>;
  readonly mapping: ObjectMapping<Table>;
  readonly pages: readonly Uint8Array[];

  constructor() {
    const { bench } = this;
    const { buffer, caller } = bench;
    this.attachment = buffer.dynamicAttach(caller, 'gpu', follower());
    this.mapping = bench.run(mapAttachmentUnlocked(caller, this.attachment, 'to-device'));
    bench.run(pinUnlocked(caller, this.attachment));
    this.pages = bench.run(vmapUnlocked(caller, buffer));
    bench.run(buffer.beginCpuAccess(caller, 'to-device'));
    bench.ops.log.length = 0;
  }
}

const CALLS: Record<LockedCall, (stage: Stage) => unknown> = {
  dma_buf_pin: ({ bench, attachment }) => bench.run(bench.buffer.pin(bench.caller, attachment)),
  dma_buf_unpin: ({ bench, attachment }) => bench.buffer.unpin(bench.caller, attachment),
  dma_buf_map_attachment: ({ bench, attachment }) =>
    bench.run(bench.buffer.mapAttachment(bench.caller, attachment, 'to-device')),
  dma_buf_unmap_attachment: ({ bench, mapping }) => bench.buffer.unmapAttachment(bench.caller, mapping),
  dma_buf_vmap: ({ bench }) => bench.buffer.vmap(bench.caller),
  dma_buf_vunmap: ({ bench, pages }) => bench.buffer.vunmap(bench.caller, pages),
  dma_buf_move_notify: ({ bench }) => bench.buffer.moveNotify(bench.caller),
  dma_buf_invalidate_mappings: ({ bench }) => bench.buffer.invalidateMappings(bench.caller),
  dma_buf_export: ({ bench }) => bench.export(new LoggedOps(), bench.caller),
  dma_buf_put: ({ bench }) => bench.buffer.get().put(bench.caller),
  dma_buf_attach: ({ bench }) => bench.buffer.attach(bench.caller, 'npu'),
  dma_buf_dynamic_attach: ({ bench }) => bench.buffer.dynamicAttach(bench.caller, 'npu', follower()),
  dma_buf_detach: ({ bench, attachment }) => bench.buffer.detach(bench.caller, attachment),
  dma_buf_mmap: ({ bench }) => bench.buffer.mmap(bench.caller, vma(0, 1)),
  dma_buf_begin_cpu_access: ({ bench }) => bench.run(bench.buffer.beginCpuAccess(bench.caller, 'to-device')),
  dma_buf_end_cpu_access: ({ bench }) => bench.buffer.endCpuAccess(bench.caller, 'to-device'),
};

for (const [call, rule] of Object.entries(CALL_LOCK_RULES) as [LockedCall, 'held' | 'free'][]) {
  test(`${call}, with the lock ${rule === 'held' ? 'held' : 'not held'}, goes through`, (t) => {
    const stage = new Stage();
    if (rule === 'held') stage.bench.lock();
    t.notThrows(() => CALLS[call](stage));
  });

  test(`${call}, with the lock ${rule === 'held' ? 'not held' : 'held'}, names call, rule and caller, and does nothing`, (t) => {
    const stage = new Stage();
    if (rule === 'free') stage.bench.lock();
    const must = rule === 'held' ? 'must hold' : 'must not hold';
    const does = rule === 'held' ? 'does not' : 'does';
    const message = new RegExp(`${call}: the caller ${must} the reservation lock of frame, and driver ${does}`);
    t.throws(() => CALLS[call](stage), { name: 'InvariantError', message });
    t.deepEqual(stage.bench.ops.log, []);
  });

  test(`${call}, with the lock held by somebody else, is judged by who calls`, (t) => {
    const stage = new Stage();
    const other = new DmaBufCaller('other');
    t.true(other.tryLock(stage.bench.reservation));
    if (rule === 'free') t.notThrows(() => CALLS[call](stage));
    else t.throws(() => CALLS[call](stage), { name: 'InvariantError' });
  });
}

/** Ops of which each does something with the lock. */
function meddling(reservation: ResvObject, meddle: (callback: LockedCallback, caller: DmaBufCaller) => void) {
  const ops: DmaBufObjectOps<Table> = {
    attach: (_attachment, caller) => meddle('attach', caller),
    detach: (_attachment, caller) => meddle('detach', caller),
    *pin(_attachment, caller) {
      meddle('pin', caller);
    },
    unpin: (_attachment, caller) => meddle('unpin', caller),
    *mapDmaBuf(_attachment, _direction, caller) {
      meddle('map_dma_buf', caller);
      return { number: 0 };
    },
    unmapDmaBuf: (_attachment, _table, _direction, caller) => meddle('unmap_dma_buf', caller),
    release: (caller) => meddle('release', caller),
    *beginCpuAccess(_direction, caller) {
      meddle('begin_cpu_access', caller);
    },
    endCpuAccess: (_direction, caller) => meddle('end_cpu_access', caller),
    mmap: (_vma, caller) => meddle('mmap', caller),
    vmap: (caller) => {
      meddle('vmap', caller);
      return [];
    },
    vunmap: (_pages, caller) => meddle('vunmap', caller),
  };
  return { ops, reservation };
}

/** Makes the call that ends in a callback. */
const TRIGGERS: Record<LockedCallback, (bench: ObjectBench, ops: DmaBufObjectOps<Table>, importer: object) => void> = {
  attach: (bench, ops) => bench.export(ops).attach(bench.caller, 'gpu'),
  detach: (bench, ops) => {
    const buffer = bench.export(ops);
    buffer.detach(bench.caller, buffer.attach(bench.caller, 'gpu'));
  },
  pin: (bench, ops) => bench.run(pinUnlocked(bench.caller, dynamic(bench, ops))),
  unpin: (bench, ops) => {
    const attachment = dynamic(bench, ops);
    bench.run(pinUnlocked(bench.caller, attachment));
    bench.run(unpinUnlocked(bench.caller, attachment));
  },
  map_dma_buf: (bench, ops) => bench.run(mapAttachmentUnlocked(bench.caller, dynamic(bench, ops), 'to-device')),
  unmap_dma_buf: (bench, ops) => {
    const mapping = bench.run(mapAttachmentUnlocked(bench.caller, dynamic(bench, ops), 'to-device'));
    bench.run(unmapAttachmentUnlocked(bench.caller, mapping));
  },
  release: (bench, ops) => bench.export(ops).put(bench.caller),
  begin_cpu_access: (bench, ops) => bench.run(bench.export(ops).beginCpuAccess(bench.caller, 'to-device')),
  end_cpu_access: (bench, ops) => bench.export(ops).endCpuAccess(bench.caller, 'to-device'),
  mmap: (bench, ops) => bench.export(ops).mmap(bench.caller, vma(0, 1)),
  vmap: (bench, ops) => bench.run(vmapUnlocked(bench.caller, bench.export(ops))),
  vunmap: (bench, ops) => {
    const buffer = bench.export(ops);
    bench.run(vunmapUnlocked(bench.caller, buffer, bench.run(vmapUnlocked(bench.caller, buffer))));
  },
  move_notify: (bench, ops, importer) => {
    const buffer = bench.export(ops);
    buffer.dynamicAttach(bench.caller, 'gpu', importer);
    bench.locked(() => buffer.moveNotify(bench.caller));
  },
};

function dynamic(bench: ObjectBench, ops: DmaBufObjectOps<Table>): ObjectAttachment<Table> {
  return bench.export(ops).dynamicAttach(bench.caller, 'gpu', follower());
}

for (const [callback, rule] of Object.entries(CALLBACK_LOCK_RULES) as [LockedCallback, 'held' | 'free'][]) {
  const trigger = (meddle: (caller: DmaBufCaller, reservation: ResvObject) => void): void => {
    const bench = new ObjectBench();
    const once = (name: LockedCallback, caller: DmaBufCaller): void => {
      if (name === callback) meddle(caller, bench.reservation);
    };
    const importer = { moveNotify: (_attachment: unknown, caller: DmaBufCaller) => once('move_notify', caller) };
    TRIGGERS[callback](bench, meddling(bench.reservation, once).ops, importer);
  };

  test(`callback ${callback}, is called with the lock ${rule}`, (t) => {
    const seen: boolean[] = [];
    trigger((caller, reservation) => seen.push(caller.holds(reservation)));
    t.deepEqual(seen, [rule === 'held']);
  });

  if (rule === 'held') {
    test(`callback ${callback}, that takes the lock, breaks an invariant`, (t) => {
      const message = /driver already holds the lock of frame/;
      const take = (): void => trigger((caller, reservation) => caller.tryLock(reservation));
      t.throws(take, { name: 'InvariantError', message });
    });
  } else {
    test(`callback ${callback}, may take the lock, and is found out when it keeps it`, (t) => {
      t.notThrows(() =>
        trigger((caller, reservation) => {
          caller.tryLock(reservation);
          caller.unlock(reservation);
        }),
      );
      const keep = (): void => trigger((caller, reservation) => caller.tryLock(reservation));
      const message = new RegExp(`${callback}: the callback gives up the reservation lock`);
      t.throws(keep, { name: 'InvariantError', message });
    });
  }
}

test('callback of a held rule, that gives the lock up, is found out', (t) => {
  const bench = new ObjectBench();
  const buffer = bench.export({
    ...new LoggedOps(),
    *mapDmaBuf(_attachment, _direction, caller): Task<Table> {
      caller.unlock(bench.reservation);
      return { number: 0 };
    },
    unmapDmaBuf: () => {},
    release: () => {},
  });
  const attachment = buffer.attach(bench.caller, 'gpu');
  bench.lock();
  const map = (): unknown => bench.run(buffer.mapAttachment(bench.caller, attachment, 'to-device'));
  t.throws(map, { name: 'InvariantError', message: /map_dma_buf: the callback leaves the reservation lock held/ });
});

test('Unlocked wrappers, wait for the lock and give it up, also when the call fails', (t) => {
  const bench = new ObjectBench();
  const other = new DmaBufCaller('other');
  const attachment = bench.buffer.dynamicAttach(bench.caller, 'gpu', follower());
  t.true(other.tryLock(bench.reservation));
  const waiting = bench.start(mapAttachmentUnlocked(bench.caller, attachment, 'to-device'));
  t.false(waiting.done);
  other.unlock(bench.reservation);
  bench.runner.run();
  t.true(waiting.done);
  t.is(waiting.error, undefined);
  bench.ops.nextTable = () => undefined;
  t.throws(() => bench.run(mapAttachmentUnlocked(bench.caller, attachment, 'to-device')), { code: 'ENOMEM' });
  t.false(bench.reservation.mutex.isLocked);
  t.is(bench.caller.heldCount, 0);
});

test('DmaBufCaller.lock, of a second reservation, breaks an invariant; lockAll takes a set', (t) => {
  const bench = new ObjectBench();
  const wwClass = new WwClass('reservation_ww_class');
  const [one, two] = ['one', 'two'].map((name) => new ResvObject(bench.fences.contexts, wwClass, name));
  bench.run(bench.caller.lock(one));
  t.throws(() => bench.run(bench.caller.lock(two)), { name: 'InvariantError', message: /one acquire context/ });
  t.throws(() => bench.run(bench.caller.lock(one)), { name: 'InvariantError', message: /already holds/ });
  bench.caller.unlock(one);
  bench.run(bench.caller.lockAll([two, one, two]));
  t.true(bench.caller.holds(one) && bench.caller.holds(two));
  bench.caller.unlock(one);
  bench.caller.unlock(two);
  t.is(bench.caller.heldCount, 0);
  t.throws(() => bench.caller.unlock(one), { name: 'InvariantError' });
});

test('DmaBufCaller.lockAll, of two callers in opposite order, lets both through', (t) => {
  const bench = new ObjectBench();
  const wwClass = new WwClass('reservation_ww_class');
  const set = ['one', 'two'].map((name) => new ResvObject(bench.fences.contexts, wwClass, name));
  const holder = new DmaBufCaller('holder');
  t.true(holder.tryLock(set[1]));
  const callers = ['a', 'b'].map((name) => new DmaBufCaller(name));
  const work = function* (caller: DmaBufCaller, order: readonly ResvObject[]): Task<void> {
    yield* caller.lockAll(order);
    for (const resv of order) caller.unlock(resv);
  };
  const both = [bench.start(work(callers[0], set)), bench.start(work(callers[1], [...set].reverse()))];
  holder.unlock(set[1]);
  bench.runner.run();
  t.true(both.every(({ done, error }) => done && error === undefined));
});
