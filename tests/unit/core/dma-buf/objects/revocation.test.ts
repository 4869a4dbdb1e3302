import {
  allowMappings,
  attachRevocable,
  isRevocable,
  mapAttachmentUnlocked,
  type ObjectMapping,
  revokeMappings,
  unmapAttachmentUnlocked,
} from '@dmabuf-lab/core/dma-buf';
import { ResvUsage } from '@dmabuf-lab/core/sync';
import test from 'ava';
import { follower, ObjectBench, type Table } from './object-bench.js';

function mapped(bench: ObjectBench, importer = follower()): ObjectMapping<Table> {
  const attachment = bench.buffer.dynamicAttach(bench.caller, 'gpu', importer);
  return bench.run(mapAttachmentUnlocked(bench.caller, attachment, 'bidirectional'));
}

test('revokeMappings, in 6.12, is EOPNOTSUPP and does nothing', (t) => {
  const bench = new ObjectBench();
  t.throws(() => bench.run(revokeMappings(bench.caller, bench.buffer)), { code: 'EOPNOTSUPP' });
  t.false(bench.buffer.isRevoked);
});

test('revokeMappings, goes through its four steps', (t) => {
  const bench = new ObjectBench({ kernel: '7' });
  const importer = follower();
  const mapping = mapped(bench, importer);
  const fence = bench.addFence(ResvUsage.Bookkeep);
  const revocation = bench.start(revokeMappings(bench.caller, bench.buffer));
  t.is(importer.told, 1);
  t.is(mapping.state, 'invalidated');
  t.true(bench.buffer.reservation.mutex.isLocked, 'fences are waited for with the lock');
  t.notThrows(() => mapping.touch('write'), 'until the fences are over it is as before');
  bench.signal(fence);
  t.false(revocation.done);
  t.false(bench.buffer.reservation.mutex.isLocked, 'unmaps are waited for without it');
  mapping.touch('read');
  t.deepEqual(bench.kinds, [], 'it may read ahead');
  mapping.touch('write');
  t.deepEqual(bench.kinds, ['touch-after-move'], 'it may not write');
  bench.run(unmapAttachmentUnlocked(bench.caller, mapping));
  bench.runner.run();
  t.true(revocation.done);
  t.is(revocation.error, undefined);
});

test('revokeMappings, refuses new mappings until they are allowed again', (t) => {
  const bench = new ObjectBench({ kernel: '7' });
  const attachment = bench.buffer.dynamicAttach(bench.caller, 'gpu', follower());
  bench.run(revokeMappings(bench.caller, bench.buffer));
  const map = (): unknown => bench.run(mapAttachmentUnlocked(bench.caller, attachment, 'to-device'));
  t.throws(map, { code: 'ENODEV', message: /revoked/ });
  bench.run(allowMappings(bench.caller, bench.buffer));
  t.notThrows(map);
});

test('revokeMappings, with fences that do not signal in time, is ETIMEDOUT naming them', (t) => {
  const bench = new ObjectBench({ kernel: '7' });
  const mapping = mapped(bench);
  const fence = bench.addFence(ResvUsage.Bookkeep);
  const { clock } = bench.fences;
  const limit = { untilNs: 9000, alarm: clock.alarm };
  const revocation = bench.start(revokeMappings(bench.caller, bench.buffer, limit));
  clock.moveTo(9000);
  bench.runner.run();
  t.like(revocation.error, { code: 'ETIMEDOUT', details: { holders: ['mock-line1-1'] } });
  t.is(mapping.state, 'invalidated');
  t.false(bench.buffer.reservation.mutex.isLocked);
  bench.signal(fence);
  const again = bench.start(revokeMappings(bench.caller, bench.buffer));
  bench.run(unmapAttachmentUnlocked(bench.caller, mapping));
  bench.runner.run();
  t.true(again.done);
  t.is(again.error, undefined);
});

test('revokeMappings, with an importer that does not unmap in time, is ETIMEDOUT naming who', (t) => {
  const bench = new ObjectBench({ kernel: '7' });
  mapped(bench);
  const deaf = bench.buffer.dynamicAttach(bench.caller, 'nic', {});
  bench.run(mapAttachmentUnlocked(bench.caller, deaf, 'to-device'));
  const { clock } = bench.fences;
  const limit = { untilNs: 9000, alarm: clock.alarm };
  const revocation = bench.start(revokeMappings(bench.caller, bench.buffer, limit));
  t.false(revocation.done);
  clock.moveTo(9000);
  bench.runner.run();
  const message =
    'Cannot revoke frame in time: not unmapped are gpu mapping 1 (bidirectional); ' +
    'nic mapping 2 (to-device), which nobody tells';
  t.like(revocation.error, { code: 'ETIMEDOUT', message });
  t.true(bench.buffer.isRevoked);
});

test('attachRevocable, refuses importers that are not told', (t) => {
  const bench = new ObjectBench({ kernel: '7' });
  const buffer = bench.export({
    attach: attachRevocable,
    *mapDmaBuf() {
      return { number: 0 };
    },
    unmapDmaBuf: () => {},
    release: () => {},
  });
  t.throws(() => buffer.attach(bench.caller, 'camera'), { code: 'EOPNOTSUPP', message: /camera/ });
  t.throws(() => buffer.dynamicAttach(bench.caller, 'nic', {}), { code: 'EOPNOTSUPP' });
  const attachment = buffer.dynamicAttach(bench.caller, 'gpu', { invalidateMappings: () => {} });
  t.true(isRevocable(attachment));
  t.deepEqual([...buffer.attachments], [attachment]);
});
