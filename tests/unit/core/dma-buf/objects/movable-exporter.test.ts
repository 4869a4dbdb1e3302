import type { Task } from '@dmabuf-lab/core/base';
import {
  DmaBufCaller,
  mapAttachmentUnlocked,
  type ObjectImporterOps,
  pinUnlocked,
  unmapAttachmentUnlocked,
  unpinUnlocked,
  vmapUnlocked,
  vunmapUnlocked,
} from '@dmabuf-lab/core/dma-buf';
import { PAGE_SIZE, type SgTable } from '@dmabuf-lab/core/memory';
import { ResvUsage } from '@dmabuf-lab/core/sync';
import test from 'ava';
import type { Running } from '../../sync/fences/bench-fences.js';
import { MovableBench } from './movable-bench.js';
import { follower, vma } from './object-bench.js';

const gpu = new DmaBufCaller('gpu');

function start<T>(bench: MovableBench, task: Task<T>): Running<T> {
  const running = bench.runner.start(task);
  bench.runner.run();
  return running;
}

function run<T>(bench: MovableBench, task: Task<T>): T {
  const running = start(bench, task);
  if (running.error !== undefined) throw running.error;
  if (!running.done) throw new Error('the task waits');
  return running.value as T;
}

test('MovableExporter, chooses storage at the first map, for all who have attached', (t) => {
  const bench = new MovableBench();
  const first = bench.buffer.dynamicAttach(gpu, 'gpu', follower());
  bench.buffer.attach(gpu, 'camera');
  t.deepEqual(bench.allocatedFor, []);
  const mapping = run(bench, mapAttachmentUnlocked(gpu, first, 'to-device'));
  t.deepEqual(bench.allocatedFor, [['gpu', 'camera']]);
  t.is(bench.exporter.storage, mapping.touch('read'));
});

test('MovableExporter.move, before there is storage, sets where it will be', (t) => {
  const bench = new MovableBench();
  const target = bench.table();
  run(bench, bench.exporter.move(bench.mover, target));
  t.is(bench.exporter.storage, target);
  t.deepEqual(bench.allocatedFor, []);
});

test('MovableExporter.move, tells a dynamic importer, waits for its fence, copies, and its old mapping is void', (t) => {
  const bench = new MovableBench();
  const { buffer, exporter } = bench;
  const importer = follower();
  const attachment = buffer.dynamicAttach(gpu, 'gpu', importer);
  const mapping = run(bench, mapAttachmentUnlocked(gpu, attachment, 'bidirectional'));
  const from = mapping.touch('write');
  for (const [i, { address }] of from.runs.entries()) bench.memory.fill(address, i + 1, PAGE_SIZE);
  const fence = bench.addFence(gpu, ResvUsage.Bookkeep);
  const to = bench.table();
  const move = start(bench, exporter.move(bench.mover, to));
  t.is(importer.told, 1);
  t.is(mapping.state, 'invalidated');
  t.notThrows(() => mapping.touch('write'), 'what is in flight may still use it');
  t.is(exporter.storage, from);
  fence.signal();
  bench.runner.run();
  t.is(move.error, undefined);
  t.true(move.done);
  t.is(exporter.storage, to);
  t.deepEqual([bench.byteAt(to, 0), bench.byteAt(to, 1)], [1, 2]);
  t.deepEqual(bench.freed, [from]);
  t.is(mapping.state, 'void');
  const again = run(bench, mapAttachmentUnlocked(gpu, attachment, 'bidirectional'));
  t.is(again.touch('read'), to);
  t.is(exporter.generation, 1);
  run(bench, unmapAttachmentUnlocked(gpu, mapping));
  t.deepEqual(bench.rules.findings, []);
});

test('MovableExporter.move, in kernel 7, calls invalidateMappings', (t) => {
  const bench = new MovableBench({ kernel: '7' });
  let told = 0;
  const importer: ObjectImporterOps = {
    invalidateMappings: () => {
      told += 1;
    },
  };
  const attachment = bench.buffer.dynamicAttach(gpu, 'gpu', importer);
  run(bench, mapAttachmentUnlocked(gpu, attachment, 'to-device'));
  run(bench, bench.exporter.move(bench.mover, bench.table()));
  t.is(told, 1);
});

test('MovableExporter.move, with a static mapping, is EBUSY naming it, until it is unmapped', (t) => {
  const bench = new MovableBench();
  const attachment = bench.buffer.attach(gpu, 'camera');
  const mapping = run(bench, mapAttachmentUnlocked(gpu, attachment, 'from-device'));
  const move = (): void => run(bench, bench.exporter.move(bench.mover, bench.table()));
  t.throws(move, { code: 'EBUSY', message: /camera mapping 1 \(from-device\)/ });
  t.is(bench.exporter.generation, 0);
  run(bench, unmapAttachmentUnlocked(gpu, mapping));
  t.notThrows(move);
});

test('MovableExporter.move, pinned, is EBUSY until each pin is given back', (t) => {
  const bench = new MovableBench();
  const attachment = bench.buffer.dynamicAttach(gpu, 'display', follower());
  for (let i = 0; i < 2; i += 1) run(bench, pinUnlocked(gpu, attachment));
  const move = (): void => run(bench, bench.exporter.move(bench.mover, bench.table()));
  t.throws(move, { code: 'EBUSY', message: /display \(pinned\), display \(pinned\)/ });
  run(bench, unpinUnlocked(gpu, attachment));
  t.throws(move, { code: 'EBUSY' });
  run(bench, unpinUnlocked(gpu, attachment));
  t.notThrows(move);
});

test('MovableExporter.move, vmapped, is EBUSY naming the user', (t) => {
  const bench = new MovableBench();
  const pages = run(bench, vmapUnlocked(gpu, bench.buffer));
  t.is(pages.length, 2);
  const move = (): void => run(bench, bench.exporter.move(bench.mover, bench.table()));
  t.throws(move, { code: 'EBUSY', message: /mapped for the kernel by gpu/ });
  run(bench, vunmapUnlocked(gpu, bench.buffer, pages));
  t.notThrows(move);
});

test('MovableExporter.move, in kernel 7 with a mapping that nobody tells, is EBUSY naming it', (t) => {
  const bench = new MovableBench({ kernel: '7' });
  const attachment = bench.buffer.dynamicAttach(gpu, 'nic', {});
  run(bench, mapAttachmentUnlocked(gpu, attachment, 'to-device'));
  const move = (): void => run(bench, bench.exporter.move(bench.mover, bench.table()));
  t.throws(move, { code: 'EBUSY', message: /nobody tells the importer of nic mapping 1/ });
});

test('MovableExporter.move, with fences that do not signal in time, is ETIMEDOUT naming them, and nothing has moved', (t) => {
  const bench = new MovableBench();
  const attachment = bench.buffer.dynamicAttach(gpu, 'gpu', follower());
  const mapping = run(bench, mapAttachmentUnlocked(gpu, attachment, 'to-device'));
  const from = bench.exporter.storage;
  bench.addFence(gpu, ResvUsage.Read);
  const { clock } = bench.fences;
  const limit = { untilNs: 5000, alarm: clock.alarm };
  const move = start(bench, bench.exporter.move(bench.mover, bench.table(), { limit }));
  t.false(move.done);
  clock.moveTo(5000);
  bench.runner.run();
  t.like(move.error, { code: 'ETIMEDOUT', message: 'Cannot move frame: fences are pending: mock-line1-1' });
  t.is(bench.exporter.storage, from);
  t.is(mapping.state, 'invalidated');
  t.notThrows(() => mapping.touch('write'), 'the storage is where it was');
  t.false(bench.buffer.reservation.mutex.isLocked);
  t.is(clock.alarms, 0);
});

test('MovableExporter.move, to another size, is EINVAL', (t) => {
  const bench = new MovableBench();
  t.throws(() => run(bench, bench.exporter.move(bench.mover, bench.table(3))), { code: 'EINVAL' });
});

test('MovableExporter.move, with an open CPU access, waits for its end, without the lock', (t) => {
  const bench = new MovableBench();
  const cpu = new DmaBufCaller('cpu');
  run(bench, bench.buffer.beginCpuAccess(cpu, 'to-device'));
  const move = start(bench, bench.exporter.move(bench.mover, bench.table()));
  t.false(move.done);
  t.false(bench.buffer.reservation.mutex.isLocked, 'so that the program can still map');
  bench.buffer.endCpuAccess(cpu, 'to-device');
  bench.runner.run();
  t.true(move.done);
});

test('MovableExporter.move, with a CPU access that stays open, is ETIMEDOUT naming it', (t) => {
  const bench = new MovableBench();
  run(bench, bench.buffer.beginCpuAccess(new DmaBufCaller('cpu'), 'to-device'));
  const { clock } = bench.fences;
  const limit = { untilNs: 5000, alarm: clock.alarm };
  const move = start(bench, bench.exporter.move(bench.mover, bench.table(), { limit }));
  clock.moveTo(5000);
  bench.runner.run();
  t.like(move.error, { code: 'ETIMEDOUT', details: { holders: ['cpu (to-device)'] } });
});

test('MovableExporter.move, under way, keeps a CPU access and a map waiting, which then see the new place', (t) => {
  const bench = new MovableBench();
  const attachment = bench.buffer.dynamicAttach(gpu, 'gpu', follower());
  run(bench, mapAttachmentUnlocked(gpu, attachment, 'to-device'));
  const fence = bench.addFence(gpu, ResvUsage.Read);
  const to = bench.table();
  const move = start(bench, bench.exporter.move(bench.mover, to));
  const access = start(bench, bench.buffer.beginCpuAccess(new DmaBufCaller('cpu'), 'from-device'));
  const map = start(bench, mapAttachmentUnlocked(new DmaBufCaller('other'), attachment, 'to-device'));
  t.false(access.done || map.done);
  fence.signal();
  bench.runner.run();
  t.true(move.done && access.done && map.done);
  t.is(map.value?.touch('read'), to);
});

test('MovableExporter.move, zaps mappings of user space, which fault to the new place and lose no store', (t) => {
  const bench = new MovableBench();
  const { exporter } = bench;
  const mapping = vma(0, 2);
  bench.buffer.mmap(gpu, mapping);
  t.true(mapping.fixedLength);
  const page = (index: number): Uint8Array => mapping.pager?.page(index, true, index) ?? t.fail('no page');
  page(0)[0] = 11;
  page(1)[0] = 22;
  t.is(exporter.faults, 2);
  const hooks: (() => void)[] = [];
  const spendCopyTime = function* (): Task<void> {
    for (const hook of hooks) hook();
  };
  hooks.push(() => {
    page(1)[0] = 33; // during the copy
  });
  const to = bench.table();
  run(bench, exporter.move(bench.mover, to, { spendCopyTime }));
  t.is(exporter.zappedPages, 2);
  t.deepEqual([bench.byteAt(to, 0), bench.byteAt(to, 1)], [11, 33]);
  page(0)[0] = 44;
  t.is(bench.byteAt(to, 0), 44);
  t.is(exporter.faults, 3);
  t.is(mapping.pager?.page(2, false, 2), undefined);
});

test('MovableExporter.attach, out of reach of what is placed, is EBUSY when it cannot move', (t) => {
  const near = new Set<SgTable>();
  const bench = new MovableBench({}, { isReachable: (table, device) => device !== 'npu' || near.has(table) });
  const attachment = bench.buffer.dynamicAttach(gpu, 'display', follower());
  run(bench, pinUnlocked(gpu, attachment));
  const attach = (): unknown => bench.buffer.dynamicAttach(gpu, 'npu', follower());
  t.throws(attach, { code: 'EBUSY', message: /it cannot move, for display \(pinned\)/ });
  t.is(bench.buffer.attachments.size, 1);
  run(bench, unpinUnlocked(gpu, attachment));
  const npu = bench.buffer.dynamicAttach(gpu, 'npu', follower());
  const map = (): unknown => run(bench, mapAttachmentUnlocked(gpu, npu, 'to-device'));
  t.throws(map, { code: 'EBUSY', message: /move it first/ });
  const target = bench.table();
  near.add(target);
  run(bench, bench.exporter.move(bench.mover, target));
  t.notThrows(map);
});

test('MovableExporter, released, gives its storage back once', (t) => {
  const bench = new MovableBench();
  const pages = run(bench, vmapUnlocked(gpu, bench.buffer));
  run(bench, vunmapUnlocked(gpu, bench.buffer, pages));
  const { storage } = bench.exporter;
  bench.buffer.put(gpu);
  t.deepEqual(bench.freed, [storage]);
  const unused = new MovableBench();
  unused.buffer.put(gpu);
  t.deepEqual(unused.freed, []);
});
