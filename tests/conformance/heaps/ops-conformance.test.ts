/** One suite over the ops of every heap: what the port `DmaBufOps` promises. */
import type { DeviceConstraints } from '@dmabuf-lab/core/constraints';
import type { DmaHeap } from '@dmabuf-lab/core/dma-buf';
import { PhysicalMemory } from '@dmabuf-lab/core/memory';
import {
  CarveoutHeap,
  ChunkHeap,
  CmaHeap,
  DeviceLocalHeap,
  ProtectedHeap,
  SystemContigHeap,
  SystemHeap,
} from '@dmabuf-lab/heaps';
import test from 'ava';

const MiB = 2 ** 20;
const zone = { base: 6 * 2 ** 30, sizeBytes: 16 * MiB };
const distances = { display: 1, nic: 3 };

const heaps: readonly { what: string; make: (memory: PhysicalMemory) => DmaHeap; closedToCpu?: boolean }[] = [
  { what: 'SystemHeap', make: (memory) => new SystemHeap('system', memory, zone) },
  { what: 'CmaHeap', make: (memory) => new CmaHeap('cma', memory, zone) },
  { what: 'CarveoutHeap', make: (memory) => new CarveoutHeap('carveout', memory, zone) },
  { what: 'ChunkHeap', make: (memory) => new ChunkHeap('chunk', memory, zone, { chunkBytes: 65536 }) },
  { what: 'SystemContigHeap', make: (memory) => new SystemContigHeap('contig', memory, zone) },
  { what: 'ProtectedHeap', make: (memory) => new ProtectedHeap('protected', memory, zone), closedToCpu: true },
  {
    what: 'DeviceLocalHeap',
    make: (memory) => new DeviceLocalHeap('vram', memory, zone, { owner: 'gpu', visibleBytes: 4 * MiB, distances }),
  },
];

const prepare = (make: (memory: PhysicalMemory) => DmaHeap): DmaHeap =>
  make(PhysicalMemory.create([{ name: 'dram', base: zone.base, sizeBytes: zone.sizeBytes }]));

/** May go anywhere. */
const gpu: DeviceConstraints = { device: 'gpu', protected: 'capable', peerToPeerDistance: 2 };

for (const { what, make, closedToCpu } of heaps) {
  test(`${what}.ops, maps for whoever is attached, and takes each call back once`, (t) => {
    const heap = prepare(make);
    const storage = heap.allocate(3 * MiB, { zero: true, visible: true });
    const { ops } = heap;
    t.throws(() => ops.mapDmaBuf(storage, gpu), { code: 'EIO' }, 'not attached');
    ops.attach?.(storage, gpu);
    t.is(ops.mapDmaBuf(storage, gpu), storage.sgTable);
    t.throws(() => ops.detach?.(storage, gpu), { code: 'EBUSY' }, 'still mapped');
    ops.unmapDmaBuf?.(storage, gpu);
    t.throws(() => ops.unmapDmaBuf?.(storage, gpu), { code: 'EINVAL' });
    t.throws(() => ops.release(storage), { code: 'EBUSY' }, 'still attached');
    ops.detach?.(storage, gpu);
    t.throws(() => ops.detach?.(storage, gpu), { code: 'EINVAL' });
    ops.pin?.(storage);
    ops.unpin?.(storage);
    t.throws(() => ops.unpin?.(storage), { code: 'EINVAL' });
    ops.release(storage);
    t.is(heap.stats().usedBytes, 0);
    t.throws(() => ops.release(storage), { code: 'EINVAL' }, 'double release');
  });

  test(`${what}.ops, ${closedToCpu ? 'refuses the CPU with EPERM' : 'lets the CPU in, and counts vmaps'}`, (t) => {
    const heap = prepare(make);
    const storage = heap.allocate(MiB, { zero: true, visible: true });
    const { ops } = heap;
    if (closedToCpu) {
      t.throws(() => ops.mmap(storage), { code: 'EPERM' });
      t.throws(() => ops.vmap(storage), { code: 'EPERM' });
      t.throws(() => ops.beginCpuAccess(storage, 'read'), { code: 'EPERM' });
      t.throws(() => ops.endCpuAccess(storage, 'read'), { code: 'EPERM' });
    } else {
      t.is(ops.mmap(storage), storage.sgTable);
      ops.vmap(storage);
      ops.vunmap(storage);
      t.throws(() => ops.vunmap(storage), { code: 'EINVAL' });
      t.true(ops.beginCpuAccess(storage, 'read-write') >= 0);
      t.true(ops.endCpuAccess(storage, 'read-write') >= 0);
    }
  });
}

test('ProtectedHeap.ops, refuses a device that is not allowed in, and takes one that is', (t) => {
  const heap = prepare((memory) => new ProtectedHeap('protected', memory, zone));
  const storage = heap.allocate(MiB, { zero: true });
  t.throws(() => heap.ops.attach?.(storage, { device: 'encoder' }), {
    code: 'EPERM',
    message: /encoder is not allowed/,
  });
  t.notThrows(() => heap.ops.attach?.(storage, { device: 'decoder', protected: 'required' }));
});

test('DeviceLocalHeap.ops, takes peers by path, distance and window, and its owner always', (t) => {
  const heap = prepare((memory) => {
    return new DeviceLocalHeap('vram', memory, zone, { owner: 'gpu', visibleBytes: 4 * MiB, distances });
  });
  const seen = heap.allocate(MiB, { zero: true, visible: true });
  const hidden = heap.allocate(MiB, { zero: true });
  const attach = (storage: typeof seen, c: DeviceConstraints) => () => heap.ops.attach?.(storage, c);
  t.notThrows(attach(hidden, { device: 'gpu' }), 'the owner reaches all of it');
  t.notThrows(attach(seen, { device: 'display', peerToPeerDistance: 1 }));
  t.throws(attach(hidden, { device: 'display', peerToPeerDistance: 1 }), { code: 'EOPNOTSUPP', message: /BAR/ });
  t.throws(attach(seen, { device: 'display' }), { code: 'EOPNOTSUPP', message: /does not map/ });
  t.throws(attach(seen, { device: 'nic', peerToPeerDistance: 2 }), { code: 'EOPNOTSUPP', message: /3 bridges away/ });
  t.throws(attach(seen, { device: 'usb', peerToPeerDistance: 9 }), { code: 'EOPNOTSUPP', message: /no path/ });
  t.throws(() => heap.ops.mmap(hidden), { code: 'EINVAL' });
  t.throws(() => heap.ops.beginCpuAccess(hidden, 'read'), { code: 'EINVAL' });
  t.notThrows(() => heap.ops.mmap(seen));
});

test('DeviceLocalHeap, keeps the visible part for those who need it, and falls back to it', (t) => {
  const memory = PhysicalMemory.create([{ name: 'vram', base: zone.base, sizeBytes: zone.sizeBytes }]);
  const heap = new DeviceLocalHeap('vram', memory, zone, { owner: 'gpu', visibleBytes: 4 * MiB });
  const unseen = Array.from({ length: 12 }, () => heap.allocate(MiB, { zero: false }));
  t.true(unseen.every((storage) => !heap.isVisible(storage)));
  t.true(heap.isVisible(heap.allocate(MiB, { zero: false })), 'nothing else is left');
  t.is(heap.allocate(3 * MiB, { zero: false, visible: true }).sgTable.lengthBytes, 3 * MiB);
  t.throws(() => heap.allocate(1, { zero: false, visible: true }), { code: 'ENOMEM' });
});
