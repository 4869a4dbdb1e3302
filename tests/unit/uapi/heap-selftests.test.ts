/** The kernel's own tests of heaps, from their description. Source: tools/testing/selftests/dmabuf-heaps, v6.12. */
import type { Task } from '@dmabuf-lab/core/base';
import {
  allocateFromHeap,
  beginCpuAccess,
  DMA_HEAP_IOCTL_ALLOC,
  endCpuAccess,
  IOC,
  ioctlNumber,
  MAP,
  mapDmaBuf,
  O,
  openDrm,
  openHeap,
  PROT,
  type Process,
  primeFdToHandle,
} from '@dmabuf-lab/uapi';
import test from 'ava';
import { runInProcess, runOnProgramMachine } from './run-in-process.js';

const ONE_MEG = 2 ** 20;

test('test_alloc_and_import: a buffer is mapped, written between two syncs, and imported', (t) => {
  runInProcess(function* (process) {
    const buffer = yield* allocateFromHeap(process, openHeap(process, 'system'), ONE_MEG);
    const address = mapDmaBuf(process, buffer);
    const handle = yield* primeFdToHandle(process, openDrm(process, '/dev/dri/card0'), buffer);
    t.is(handle, 1);
    for (const byte of [0xff, 0x55]) {
      yield* beginCpuAccess(process, buffer, 'read-write');
      process.memory.fill(address, ONE_MEG, byte);
      yield* endCpuAccess(process, buffer, 'read-write');
    }
    t.true(process.memory.read(address, ONE_MEG).every((byte) => byte === 0x55));
  });
});

test('a buffer of the CMA heap, is there for programs, and is not mapped privately', (t) => {
  runOnProgramMachine(function* (process) {
    const buffer = yield* allocateFromHeap(process, openHeap(process, 'reserved'), 4096);
    t.like(process.fds.file(buffer, 'test').fdinfo(), { size: 4096, exp_name: 'reserved' });
    const { READ } = PROT;
    t.throws(() => process.mmap(buffer, 4096n, 0n, READ, MAP.PRIVATE), { code: 'EINVAL' });
    t.is(process.memory.read(process.mmap(buffer, 4096n, 0n, READ, MAP.SHARED), 1)[0], 0);
    const system = yield* allocateFromHeap(process, openHeap(process, 'system'), 4096);
    t.is(process.memory.read(process.mmap(system, 4096n, 0n, READ, MAP.PRIVATE), 1)[0], 0);
  });
});

test('test_alloc_zeroed: what others have written is gone', (t) => {
  runInProcess(function* (process) {
    const heap = openHeap(process, 'system');
    for (let round = 0; round < 2; round += 1) {
      const buffers: number[] = [];
      for (let i = 0; i < 32; i += 1) buffers.push(yield* allocateFromHeap(process, heap, ONE_MEG / 16));
      for (const buffer of buffers) {
        const address = mapDmaBuf(process, buffer);
        t.true(process.memory.read(address, ONE_MEG / 16).every((byte) => byte === 0));
        process.memory.fill(address, ONE_MEG / 16, 0xff);
        process.memory.unmap(address, ONE_MEG / 16);
        process.close(buffer);
      }
    }
  });
});

/** An allocation by a structure of another length. @returns the descriptor in it */
function* allocateBy(process: Process, heap: number, sizeBytes: number): Task<number> {
  const bytes = new Uint8Array(sizeBytes).fill(0xab, DMA_HEAP_IOCTL_ALLOC.struct.size);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(ONE_MEG), true);
  view.setUint32(12, O.RDWR | O.CLOEXEC, true);
  const number = ioctlNumber(IOC.read | IOC.write, 'H', 0, sizeBytes);
  yield* process.ioctl(heap, number, process.user.put(bytes));
  return view.getUint32(8, true);
}

test('test_alloc_compat: an older, shorter structure and a newer, longer one will do', (t) => {
  runInProcess(function* (process) {
    const heap = openHeap(process, 'system');
    for (const sizeBytes of [16, 40]) {
      const buffer = yield* allocateBy(process, heap, sizeBytes);
      t.true(process.fds.has(buffer));
      t.like(process.fds.file(buffer, 'test').fdinfo(), { size: ONE_MEG, exp_name: 'system' });
    }
  });
});

test('test_alloc_errors: no heap, unknown heap flags and unknown descriptor flags are refused', (t) => {
  runInProcess(function* (process) {
    const heap = openHeap(process, 'system');
    const buffer = yield* allocateFromHeap(process, heap, ONE_MEG);
    const allocate = (fd: number, more: object): (() => unknown) => {
      return () => [...process.command(fd, DMA_HEAP_IOCTL_ALLOC, { len: BigInt(ONE_MEG), fd_flags: O.RDWR, ...more })];
    };
    t.like(t.throws(allocate(buffer, {})), { code: 'ENOTTY' });
    t.like(t.throws(allocate(99, {})), { code: 'EBADF' });
    t.like(t.throws(allocate(heap, { heap_flags: 0x111111n })), { code: 'EINVAL' });
    t.like(t.throws(allocate(heap, { fd_flags: 0xffff_ffff - (O.RDWR | O.CLOEXEC) })), { code: 'EINVAL' });
    t.deepEqual(process.fds.numbers, [0, 1]);
  });
});
