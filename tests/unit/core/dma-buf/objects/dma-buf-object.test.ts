import { DmaBufCaller, DmaBufObject, type DmaBufObjectOps, mapAttachmentUnlocked } from '@dmabuf-lab/core/dma-buf';
import { ResvUsage } from '@dmabuf-lab/core/sync';
import test from 'ava';
import { busy, follower, ObjectBench, type Table, vma } from './object-bench.js';

const broken = (message: RegExp): { name: string; message: RegExp } => ({ name: 'InvariantError', message });

// --- export and references -------------------------------------------------------------------------------------------

for (const missing of ['mapDmaBuf', 'unmapDmaBuf', 'release'] as const) {
  test(`DmaBufObject, without ${missing}, is EINVAL`, (t) => {
    const ops = { ...plainOps(), [missing]: undefined } as unknown as DmaBufObjectOps<Table>;
    t.throws(() => new ObjectBench().export(ops), { code: 'EINVAL', message: new RegExp(missing) });
  });
}

test('DmaBufObject, with one of pin and unpin, is EINVAL', (t) => {
  const bench = new ObjectBench();
  t.throws(() => bench.export({ ...plainOps(), unpin: () => {} }), { code: 'EINVAL' });
  t.throws(() => bench.export({ ...plainOps(), *pin() {} }), { code: 'EINVAL' });
  t.notThrows(() => bench.export({ ...plainOps(), *pin() {}, unpin: () => {} }));
});

test('DmaBufObject, exported, is held once and has its size and name for life', (t) => {
  const { buffer } = new ObjectBench();
  t.is(buffer.references, 1);
  t.is(buffer.sizeBytes, 16_384);
  t.is(buffer.exporterName, 'bench');
  t.false(Object.getOwnPropertyDescriptor(DmaBufObject.prototype, 'sizeBytes')?.set !== undefined);
});

test('DmaBufObject.put, of the last reference only, releases once', (t) => {
  const { buffer, caller, ops } = new ObjectBench();
  buffer.get();
  buffer.put(caller);
  t.deepEqual(ops.log, []);
  buffer.put(caller);
  t.deepEqual(ops.log, ['release']);
  t.throws(() => buffer.put(caller), broken(/not released/));
  t.throws(() => buffer.get(), broken(/not released/));
});

test('DmaBufObject.put, of the last reference while vmapped, breaks an invariant that names the users', (t) => {
  const bench = new ObjectBench();
  bench.locked(() => bench.buffer.vmap(bench.caller));
  t.throws(() => bench.buffer.put(bench.caller), broken(/vmapped, by driver/));
});

// --- attach and detach -----------------------------------------------------------------------------------------------

test('DmaBufObject.attach, asks the exporter and is on the list', (t) => {
  const { buffer, caller, ops } = new ObjectBench();
  const attachment = buffer.attach(caller, 'gpu');
  t.deepEqual(ops.log, ['attach']);
  t.deepEqual([...buffer.attachments], [attachment]);
  t.false(attachment.isDynamic);
  t.false(attachment.peer2peer);
});

test('DmaBufObject.attach, without a device, is EINVAL', (t) => {
  const { buffer, caller, ops } = new ObjectBench();
  t.throws(() => buffer.attach(caller, ''), { code: 'EINVAL' });
  t.throws(() => buffer.dynamicAttach(caller, '', follower()), { code: 'EINVAL' });
  t.deepEqual(ops.log, []);
});

test('DmaBufObject.attach, refused by the exporter, throws the very error, is not on the list, and detaches nothing', (t) => {
  const { buffer, caller, ops } = new ObjectBench();
  const error = busy();
  ops.failures.set('attach', error);
  t.is(
    t.throws(() => buffer.attach(caller, 'gpu')),
    error,
  );
  t.is(buffer.attachments.size, 0);
  t.deepEqual(ops.log, ['attach']);
});

test('DmaBufObject.dynamicAttach, without moveNotify, is EINVAL in 6.12 and fine in 7', (t) => {
  const old = new ObjectBench();
  t.throws(() => old.buffer.dynamicAttach(old.caller, 'gpu', {}), { code: 'EINVAL', message: /moveNotify/ });
  t.throws(() => old.buffer.dynamicAttach(old.caller, 'gpu', { invalidateMappings: () => {} }), { code: 'EINVAL' });
  const recent = new ObjectBench({ kernel: '7' });
  t.true(recent.buffer.dynamicAttach(recent.caller, 'gpu', {}).isDynamic);
});

test('DmaBufObject.dynamicAttach, with allowPeer2peer, offers it to the exporter, who may take it away', (t) => {
  const bench = new ObjectBench();
  const dynamic = (allowPeer2peer: boolean): boolean =>
    bench.buffer.dynamicAttach(bench.caller, 'gpu', { ...follower(), allowPeer2peer }).peer2peer;
  t.true(dynamic(true));
  t.false(dynamic(false));
  const buffer = bench.export({
    ...plainOps(),
    attach: (attachment) => {
      attachment.peer2peer = false;
    },
  });
  const attachment = buffer.dynamicAttach(bench.caller, 'gpu', { ...follower(), allowPeer2peer: true });
  t.false(attachment.peer2peer);
});

test('DmaBufObject.detach, leaves the list before the exporter is told', (t) => {
  const { buffer, caller, ops } = new ObjectBench();
  const attachment = buffer.attach(caller, 'gpu');
  buffer.detach(caller, attachment);
  t.deepEqual(ops.log, ['attach', 'detach']);
  t.is(buffer.attachments.size, 0);
});

// --- pins ------------------------------------------------------------------------------------------------------------

test('DmaBufObject.pin, is the exporter op each time, and counted', (t) => {
  const bench = new ObjectBench();
  const { buffer, caller, ops } = bench;
  const attachment = buffer.dynamicAttach(caller, 'display', follower());
  bench.locked(() => {
    bench.run(buffer.pin(caller, attachment));
    bench.run(buffer.pin(caller, attachment));
    t.deepEqual(buffer.pinnedBy, ['display (pinned)', 'display (pinned)']);
    buffer.unpin(caller, attachment);
    buffer.unpin(caller, attachment);
  });
  t.deepEqual(buffer.pinnedBy, []);
  t.deepEqual(ops.log, ['attach', 'pin', 'pin', 'unpin', 'unpin']);
});

test('DmaBufObject.pin, refused by the exporter, throws the very error and counts nothing', (t) => {
  const bench = new ObjectBench();
  const attachment = bench.buffer.dynamicAttach(bench.caller, 'display', follower());
  const error = busy();
  bench.ops.failures.set('pin', error);
  bench.lock();
  t.is(
    t.throws(() => bench.run(bench.buffer.pin(bench.caller, attachment))),
    error,
  );
  t.is(attachment.pins, 0);
});

test('DmaBufObject.pin, of an exporter without pin, succeeds', (t) => {
  const bench = new ObjectBench({}, ['pin', 'unpin']);
  const attachment = bench.buffer.dynamicAttach(bench.caller, 'display', follower());
  bench.lock();
  bench.run(bench.buffer.pin(bench.caller, attachment));
  t.is(attachment.pins, 1);
  bench.buffer.unpin(bench.caller, attachment);
});

// --- map and unmap ---------------------------------------------------------------------------------------------------

test('DmaBufObject.mapAttachment, of a static importer, pins, maps, and unmap undoes both in reverse', (t) => {
  const bench = new ObjectBench();
  const { buffer, caller, ops } = bench;
  const attachment = buffer.attach(caller, 'camera');
  bench.locked(() => {
    const mapping = bench.run(buffer.mapAttachment(caller, attachment, 'from-device'));
    t.deepEqual(buffer.pinnedBy, ['camera mapping 1 (from-device)']);
    t.deepEqual(mapping.touch('write'), { number: 1 });
    buffer.unmapAttachment(caller, mapping, 'from-device');
  });
  t.deepEqual(ops.log, ['attach', 'pin', 'map', 'unmap from-device', 'unpin']);
  t.deepEqual(buffer.pinnedBy, []);
  t.is(buffer.mappings.size, 0);
});

test('DmaBufObject.mapAttachment, of a dynamic importer, does not pin, and maps each time anew', (t) => {
  const bench = new ObjectBench();
  const attachment = bench.buffer.dynamicAttach(bench.caller, 'gpu', follower());
  bench.lock();
  const one = bench.run(bench.buffer.mapAttachment(bench.caller, attachment, 'to-device'));
  const two = bench.run(bench.buffer.mapAttachment(bench.caller, attachment, 'from-device'));
  t.not(one.touch('read'), two.touch('read'));
  t.deepEqual(bench.ops.log, ['attach', 'map', 'map']);
});

test('DmaBufObject.mapAttachment, without a table, is ENOMEM, and the pin is given back', (t) => {
  const bench = new ObjectBench();
  const attachment = bench.buffer.attach(bench.caller, 'camera');
  bench.ops.nextTable = () => undefined;
  bench.lock();
  const map = (): unknown => bench.run(bench.buffer.mapAttachment(bench.caller, attachment, 'to-device'));
  t.throws(map, { code: 'ENOMEM' });
  t.deepEqual(bench.ops.log, ['attach', 'pin', 'map', 'unpin']);
  t.is(bench.buffer.mappings.size, 0);
});

test('DmaBufObject.mapAttachment, refused by the exporter, throws the very error, and the pin is given back', (t) => {
  const bench = new ObjectBench();
  const attachment = bench.buffer.attach(bench.caller, 'camera');
  const error = busy();
  bench.ops.failures.set('map', error);
  bench.lock();
  t.is(
    t.throws(() => bench.run(bench.buffer.mapAttachment(bench.caller, attachment, 'to-device'))),
    error,
  );
  t.deepEqual(bench.ops.log, ['attach', 'pin', 'map', 'unpin']);
});

test('DmaBufObject.mapAttachment, not pinned since that is EBUSY, says so and notes whose fault it is', (t) => {
  const bench = new ObjectBench();
  const attachment = bench.buffer.attach(bench.caller, 'camera');
  bench.ops.failures.set('pin', busy());
  bench.lock();
  t.throws(() => bench.run(bench.buffer.mapAttachment(bench.caller, attachment, 'to-device')), { code: 'EBUSY' });
  t.deepEqual(bench.ops.log, ['attach', 'pin']);
  t.deepEqual(bench.kinds, ['pin-refused-as-busy']);
});

test('DmaBufObject.mapAttachment, of a static importer, waits for fences of KERNEL and for no others', (t) => {
  const bench = new ObjectBench();
  const attachment = bench.buffer.attach(bench.caller, 'camera');
  bench.addFence(ResvUsage.Write);
  const fence = bench.addFence(ResvUsage.Kernel);
  const mapping = bench.start(mapAttachmentUnlocked(bench.caller, attachment, 'to-device'));
  t.false(mapping.done);
  t.true(bench.reservation.mutex.isLocked);
  bench.signal(fence);
  t.true(mapping.done);
  t.false(bench.reservation.mutex.isLocked);
});

test('DmaBufObject.mapAttachment, of a dynamic importer, does not wait for fences of KERNEL', (t) => {
  const bench = new ObjectBench();
  const attachment = bench.buffer.dynamicAttach(bench.caller, 'gpu', follower());
  bench.addFence(ResvUsage.Kernel);
  t.notThrows(() => bench.run(mapAttachmentUnlocked(bench.caller, attachment, 'to-device')));
});

test('DmaBufObject.mapAttachment, interrupted while it waits, undoes map and pin and throws what ended it', (t) => {
  const bench = new ObjectBench();
  const attachment = bench.buffer.attach(bench.caller, 'camera');
  bench.addFence(ResvUsage.Kernel);
  const error = busy();
  const interrupted = function* (): Generator<never, void> {
    throw error;
  };
  const map = (): unknown => bench.run(mapAttachmentUnlocked(bench.caller, attachment, 'to-device', interrupted));
  t.is(t.throws(map), error);
  t.deepEqual(bench.ops.log, ['attach', 'pin', 'map', 'unmap to-device', 'unpin']);
  t.is(bench.buffer.mappings.size, 0);
  t.false(bench.reservation.mutex.isLocked);
});

test('DmaBufObject.mapAttachment, ended by its runtime while it waits, undoes map, pin and lock', (t) => {
  const bench = new ObjectBench();
  const attachment = bench.buffer.attach(bench.caller, 'camera');
  bench.addFence(ResvUsage.Kernel);
  const task = mapAttachmentUnlocked(bench.caller, attachment, 'to-device');
  task.next();
  task.return(undefined as never);
  t.deepEqual(bench.ops.log, ['attach', 'pin', 'map', 'unmap to-device', 'unpin']);
  t.false(bench.reservation.mutex.isLocked);
});

test('DmaBufObject.mapAttachment and pin, of what is not attached, are EINVAL', (t) => {
  const bench = new ObjectBench();
  const attachment = bench.buffer.attach(bench.caller, 'camera');
  bench.buffer.detach(bench.caller, attachment);
  bench.lock();
  t.throws(() => bench.run(bench.buffer.mapAttachment(bench.caller, attachment, 'to-device')), { code: 'EINVAL' });
  t.throws(() => bench.run(bench.buffer.pin(bench.caller, attachment)), { code: 'EINVAL' });
});

test('DmaBufObject.mapAttachment, the first time, shows the exporter all who attached', (t) => {
  const bench = new ObjectBench();
  const seen: string[][] = [];
  const ops: DmaBufObjectOps<Table> = {
    ...plainOps(),
    *mapDmaBuf({ buffer }) {
      seen.push([...buffer.attachments].map(({ device }) => device));
      return { number: 0 };
    },
  };
  const buffer = bench.export(ops);
  buffer.attach(bench.caller, 'camera');
  const display = buffer.attach(bench.caller, 'display');
  bench.run(mapAttachmentUnlocked(bench.caller, display, 'to-device'));
  t.deepEqual(seen, [['camera', 'display']]);
});

// --- moveNotify ------------------------------------------------------------------------------------------------------

test('DmaBufObject.moveNotify, tells importers that follow moves, in order of attaching, and nobody else', (t) => {
  const bench = new ObjectBench();
  const told: string[] = [];
  const importer = { moveNotify: ({ device }: { device: string }) => told.push(device) };
  bench.buffer.dynamicAttach(bench.caller, 'gpu', importer);
  bench.buffer.attach(bench.caller, 'camera');
  bench.buffer.dynamicAttach(bench.caller, 'display', importer);
  bench.locked(() => bench.buffer.moveNotify(bench.caller));
  t.deepEqual(told, ['gpu', 'display']);
});

test('DmaBufObject.moveNotify, lets an importer unmap at once, with the lock that is held', (t) => {
  const bench = new ObjectBench();
  const { buffer, caller } = bench;
  const attachment = buffer.dynamicAttach(caller, 'gpu', {
    moveNotify: () => {
      for (const mapping of attachment.mappings) buffer.unmapAttachment(caller, mapping);
    },
  });
  bench.run(mapAttachmentUnlocked(caller, attachment, 'to-device'));
  bench.locked(() => buffer.moveNotify(caller));
  t.is(buffer.mappings.size, 0);
});

test('DmaBufObject.invalidateMappings, is EOPNOTSUPP in 6.12, and in 7 calls either name', (t) => {
  const old = new ObjectBench();
  old.lock();
  t.throws(() => old.buffer.invalidateMappings(old.caller), { code: 'EOPNOTSUPP' });
  const bench = new ObjectBench({ kernel: '7' });
  const told: string[] = [];
  bench.buffer.dynamicAttach(bench.caller, 'gpu', { invalidateMappings: () => told.push('by the new name') });
  bench.buffer.dynamicAttach(bench.caller, 'npu', { moveNotify: () => told.push('by the old name') });
  bench.buffer.dynamicAttach(bench.caller, 'nic', {});
  bench.locked(() => bench.buffer.invalidateMappings(bench.caller));
  t.deepEqual(told, ['by the new name', 'by the old name']);
});

// --- the CPU ---------------------------------------------------------------------------------------------------------

test('DmaBufObject.beginCpuAccess, asks the exporter first, then waits for writers, and to write for readers too', (t) => {
  for (const [direction, usage] of [
    ['from-device', ResvUsage.Write],
    ['to-device', ResvUsage.Read],
    ['bidirectional', ResvUsage.Read],
  ] as const) {
    const bench = new ObjectBench();
    const fence = bench.addFence(usage);
    if (usage < ResvUsage.Bookkeep) bench.addFence((usage + 1) as ResvUsage);
    const access = bench.start(bench.buffer.beginCpuAccess(bench.caller, direction));
    t.deepEqual(bench.ops.log, [`begin ${direction}`]);
    t.false(access.done);
    bench.signal(fence);
    t.true(access.done, direction);
  }
});

test('DmaBufObject.beginCpuAccess, refused by the exporter, does not wait and is not open', (t) => {
  const bench = new ObjectBench();
  bench.addFence(ResvUsage.Write);
  const error = busy();
  bench.ops.failures.set('begin from-device', error);
  t.is(
    t.throws(() => bench.run(bench.buffer.beginCpuAccess(bench.caller, 'from-device'))),
    error,
  );
  t.deepEqual(bench.buffer.cpuAccesses, []);
});

test('DmaBufObject.beginCpuAccess, interrupted, is not open, and the exporter is not called back', (t) => {
  const bench = new ObjectBench();
  const interrupted = function* (): Generator<never, void> {
    throw busy();
  };
  t.throws(() => bench.run(bench.buffer.beginCpuAccess(bench.caller, 'from-device', interrupted)), { code: 'EBUSY' });
  t.deepEqual(bench.buffer.cpuAccesses, []);
  t.deepEqual(bench.ops.log, ['begin from-device']);
});

test('DmaBufObject.endCpuAccess, with fences pending, does not wait', (t) => {
  const bench = new ObjectBench();
  bench.run(bench.buffer.beginCpuAccess(bench.caller, 'bidirectional'));
  for (const usage of Object.values(ResvUsage)) bench.addFence(usage);
  bench.buffer.endCpuAccess(bench.caller, 'bidirectional');
  t.deepEqual(bench.ops.log, ['begin bidirectional', 'end bidirectional']);
  t.deepEqual(bench.buffer.cpuAccesses, []);
  t.deepEqual(bench.kinds, []);
});

test('DmaBufObject.mmap, within the buffer, is the op; beyond its end EINVAL, wrapped EOVERFLOW, without op EINVAL', (t) => {
  const { buffer, caller, ops } = new ObjectBench();
  buffer.mmap(caller, vma(0, 4));
  buffer.mmap(caller, vma(3, 1));
  t.throws(() => buffer.mmap(caller, vma(3, 2)), { code: 'EINVAL' });
  t.throws(() => buffer.mmap(caller, vma(0, 5)), { code: 'EINVAL' });
  t.throws(() => buffer.mmap(caller, vma(0, 1), 2 ** 64 - 1), { code: 'EOVERFLOW' });
  t.throws(() => buffer.mmap(caller, vma(2 ** 64 - 1, 1)), { code: 'EINVAL' }, 'mmap(2) never says EOVERFLOW here');
  t.deepEqual(ops.log, ['mmap', 'mmap']);
  const without = new ObjectBench({}, ['mmap']);
  t.throws(() => without.buffer.mmap(without.caller, vma(0, 1)), { code: 'EINVAL' });
});

test('DmaBufObject.mmap, by a driver, starts at the page that it gives', (t) => {
  const { buffer, caller } = new ObjectBench();
  const mapping = vma(1000, 2);
  buffer.mmap(caller, mapping, 1);
  t.is(mapping.first, 1);
});

test('DmaBufObject.vmap, of several users, is one mapping, and the op is called once', (t) => {
  const bench = new ObjectBench();
  const { buffer, caller, ops } = bench;
  bench.lock();
  const pages = buffer.vmap(caller);
  t.is(buffer.vmap(caller), pages);
  t.deepEqual(buffer.vmapUsers, ['driver', 'driver']);
  buffer.vunmap(caller, pages);
  t.deepEqual(ops.log, ['vmap']);
  buffer.vunmap(caller, pages);
  t.deepEqual(ops.log, ['vmap', 'vunmap']);
  t.not(buffer.vmap(caller), pages);
});

test('DmaBufObject.vmap, without the op, is EINVAL, and a refusal of the op counts nothing', (t) => {
  const without = new ObjectBench({}, ['vmap']);
  without.lock();
  t.throws(() => without.buffer.vmap(without.caller), { code: 'EINVAL' });
  const bench = new ObjectBench();
  const error = busy();
  bench.ops.failures.set('vmap', error);
  bench.lock();
  t.is(
    t.throws(() => bench.buffer.vmap(bench.caller)),
    error,
  );
  t.deepEqual(bench.buffer.vmapUsers, []);
});

test('DmaBufObject.vunmap, unbalanced or of other pages, breaks an invariant', (t) => {
  const bench = new ObjectBench();
  bench.lock();
  t.throws(() => bench.buffer.vunmap(bench.caller, []), broken(/vmapped/));
  bench.buffer.vmap(bench.caller);
  t.throws(() => bench.buffer.vunmap(bench.caller, []), broken(/handed back/));
});

test('DmaBufObject, used by two callers, knows which of them holds the lock', (t) => {
  const bench = new ObjectBench();
  const other = new DmaBufCaller('other');
  bench.lock();
  t.throws(() => bench.buffer.vmap(other), broken(/other does not/));
  t.notThrows(() => bench.buffer.attach(other, 'gpu'));
});

function plainOps(): DmaBufObjectOps<Table> {
  return {
    *mapDmaBuf() {
      return { number: 0 };
    },
    unmapDmaBuf: () => {},
    release: () => {},
  };
}
