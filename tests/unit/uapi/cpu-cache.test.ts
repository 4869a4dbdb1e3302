import type { Task } from '@dmabuf-lab/core/base';
import {
  allocateFromHeap,
  attachVgemFence,
  beginCpuAccess,
  createConstrained,
  endCpuAccess,
  mapDmaBuf,
  openCenalloc,
  openDrm,
  openHeap,
  type Process,
  placementOf,
  primeFdToHandle,
  type SimulatedKernel,
  signalVgemFence,
  V4L2_BUF_TYPE,
} from '@dmabuf-lab/uapi';
import test from 'ava';
import { ANY_CAMERA, Camera, CONTIGUOUS_CAMERA, FRAME_BYTES } from './cameras.js';
import { runInProcess, runOnProgramMachine } from './run-in-process.js';

/** Of a frame, and what one page costs. */
const PAGES = 29;
const PAGE_NS = 60;

const kinds = ({ dmaBufRules }: SimulatedKernel): string[] => dmaBufRules.findings.map(({ kind }) => kind);
const nonCoherent = <T>(program: (process: Process, kernel: SimulatedKernel) => Task<T>, isStrict = false): T =>
  runOnProgramMachine(program, { nonCoherent: true, rules: { mode: isStrict ? 'strict' : 'like-linux' } });

function* systemBuffer(process: Process, bytes = FRAME_BYTES): Task<number> {
  return yield* allocateFromHeap(process, openHeap(process, 'system'), bytes);
}

/** A camera that has put one picture into a buffer. */
function* filled(process: Process, buffer: number): Task<Camera> {
  const camera = yield* Camera.open(process, ANY_CAMERA);
  yield* camera.stream(true);
  yield* camera.queue(0, buffer);
  yield* camera.dequeue();
  return camera;
}

test('SYNC around each load, shows what the camera wrote, finds nothing, and takes time for each page', (t) => {
  nonCoherent(function* (process, kernel) {
    const buffer = yield* systemBuffer(process);
    const address = mapDmaBuf(process, buffer);
    t.deepEqual([...process.memory.read(address, 2)], [0, 0], 'now in the cache');
    yield* filled(process, buffer);
    const beforeNs = kernel.now();
    yield* beginCpuAccess(process, buffer, 'read');
    t.is(kernel.now(), beforeNs + PAGES * PAGE_NS);
    t.deepEqual([...process.memory.read(address, 2)], [16, 128]);
    yield* endCpuAccess(process, buffer, 'read');
    t.is(kernel.now(), beforeNs + 2 * PAGES * PAGE_NS);
    t.like(kernel.cpuCache?.cost, { invalidatedPages: PAGES, cleanedPages: PAGES, spentNs: 2 * PAGES * PAGE_NS });
    t.deepEqual(kinds(kernel), []);
  });
});

test('a load without SYNC, sees the old bytes, and the finding names buffer and page', (t) => {
  nonCoherent(function* (process, kernel) {
    const buffer = yield* systemBuffer(process);
    const address = mapDmaBuf(process, buffer);
    process.memory.read(address + 4094, 4);
    yield* filled(process, buffer);
    t.deepEqual([...process.memory.read(address + 4094, 4)], [0, 0, 0, 0]);
    const { findings } = kernel.dmaBufRules;
    t.deepEqual(
      findings.map(({ kind, buffer: name, details }) => [kind, name.split(' ')[0], details.page]),
      [
        ['cache-cpu-reads-stale', 'system', 0],
        ['cache-cpu-reads-stale', 'system', 1],
      ],
    );
    yield* beginCpuAccess(process, buffer, 'read');
    t.notDeepEqual([...process.memory.read(address + 4094, 4)], [0, 0, 0, 0]);
    t.is(findings.length, 2);
  });
});

for (const withSync of [true, false]) {
  test(`an output, given what the CPU stored ${withSync ? 'with' : 'without'} SYNC, reads the ${withSync ? 'new' : 'old'} bytes`, (t) => {
    nonCoherent(function* (process, kernel) {
      const output = yield* Camera.open(process, '/dev/video1', V4L2_BUF_TYPE.VIDEO_OUTPUT);
      yield* output.stream(true);
      const buffer = yield* systemBuffer(process);
      const address = mapDmaBuf(process, buffer);
      if (withSync) yield* beginCpuAccess(process, buffer, 'write');
      process.memory.fill(address, 100, 9);
      if (withSync) yield* endCpuAccess(process, buffer, 'write');
      t.deepEqual([...process.memory.read(address, 2)], [9, 9], 'the CPU sees its own stores');
      yield* output.queue(0, buffer);
      yield* output.queue(1, yield* systemBuffer(process));
      t.is(yield* output.dequeue(), 0);
      t.deepEqual(kinds(kernel), withSync ? [] : ['cache-device-reads-stale']);
    });
  });
}

test('strict, a stale load is EIO, and an output that reads old bytes gives the buffer back as broken', (t) => {
  nonCoherent(function* (process, kernel) {
    const buffer = yield* systemBuffer(process);
    const address = mapDmaBuf(process, buffer);
    process.memory.read(address, 1);
    yield* filled(process, buffer);
    t.throws(() => process.memory.read(address, 1), { code: 'EIO' });
    const output = yield* Camera.open(process, '/dev/video1', V4L2_BUF_TYPE.VIDEO_OUTPUT);
    yield* output.stream(true);
    const other = yield* systemBuffer(process);
    process.memory.write(mapDmaBuf(process, other), Uint8Array.of(1));
    yield* output.queue(0, other);
    yield* output.queue(1, buffer);
    t.is(yield* output.dequeue(), 0);
    t.deepEqual(kinds(kernel), ['cache-cpu-reads-stale', 'cache-device-reads-stale']);
  }, true);
});

for (const end of ['exit', 'munmap, close and REQBUFS(0)'] as const) {
  test(`strict, a store without SYNC that is lost as a device unmaps at ${end}, is found and fails nothing`, (t) => {
    nonCoherent(function* (process, kernel) {
      const buffer = yield* allocateFromHeap(process, openHeap(process, 'reserved'), FRAME_BYTES);
      const address = mapDmaBuf(process, buffer);
      const camera = yield* Camera.open(process, CONTIGUOUS_CAMERA);
      yield* camera.queue(0, buffer);
      process.memory.write(address, Uint8Array.of(1));
      if (end === 'exit') process.exit();
      else {
        process.memory.unmap(address, FRAME_BYTES);
        process.close(buffer);
        yield* camera.reqbufs(0);
      }
      t.deepEqual(kinds(kernel), ['cache-cpu-write-lost']);
    }, true);
  });
}

test('strict, a buffer that is closed in an open access, leaves nothing in the cache', (t) => {
  nonCoherent(function* (process) {
    const heap = openHeap(process, 'reserved');
    const first = yield* allocateFromHeap(process, heap, 4096);
    const address = mapDmaBuf(process, first);
    yield* beginCpuAccess(process, first, 'write');
    process.memory.fill(address, 4096, 0xee);
    process.memory.unmap(address, 4096);
    process.close(first);
    const second = yield* allocateFromHeap(process, heap, 4096);
    const large = yield* systemBuffer(process, 3 * 2 ** 20); // more than the cache holds
    process.memory.read(mapDmaBuf(process, large), 3 * 2 ** 20);
    t.deepEqual(new Set(process.memory.read(mapDmaBuf(process, second), 4096)), new Set([0]));
  }, true);
});

test('a coherent machine, which is the default, sees all without SYNC, and takes no time', (t) => {
  runInProcess(function* (process, kernel) {
    const buffer = yield* systemBuffer(process);
    const address = mapDmaBuf(process, buffer);
    process.memory.read(address, 1);
    yield* filled(process, buffer);
    t.deepEqual([...process.memory.read(address, 2)], [16, 128]);
    const beforeNs = kernel.now();
    yield* beginCpuAccess(process, buffer, 'read-write');
    yield* endCpuAccess(process, buffer, 'read-write');
    t.deepEqual([kernel.now(), kernel.cpuCache, kinds(kernel)], [beforeNs, undefined, []]);
  });
});

test('a buffer that moves, keeps what the CPU stored within SYNC; what it stored without is lost as a device unmaps, and found', (t) => {
  nonCoherent(function* (process, kernel) {
    const buffer = yield* createConstrained(process, openCenalloc(process), FRAME_BYTES);
    const vgem = openDrm(process, '/dev/dri/card0');
    const handle = yield* primeFdToHandle(process, vgem, buffer);
    yield* signalVgemFence(process, vgem, yield* attachVgemFence(process, vgem, handle, 'read'));
    const address = mapDmaBuf(process, buffer);
    yield* beginCpuAccess(process, buffer, 'write');
    process.memory.write(address + 8000, Uint8Array.of(1, 2, 3));
    yield* endCpuAccess(process, buffer, 'write');
    process.memory.write(address + 100, Uint8Array.of(4));
    const camera = yield* Camera.open(process, CONTIGUOUS_CAMERA);
    yield* camera.queue(0, buffer);
    t.like(placementOf(process, buffer), { heap: 'reserved', moves: 1 });
    t.deepEqual([...process.memory.read(address + 8000, 3), ...process.memory.read(address + 100, 1)], [1, 2, 3, 0]);
    yield* camera.stream(true);
    yield* camera.dequeue();
    yield* beginCpuAccess(process, buffer, 'read');
    t.deepEqual([...process.memory.read(address, 2)], [16, 128]);
    t.deepEqual(kinds(kernel), ['cache-cpu-write-lost']);
  });
});

test('a device that maps and unmaps, is charged for each page', (t) => {
  nonCoherent(function* (process, kernel) {
    const buffer = yield* allocateFromHeap(process, openHeap(process, 'reserved'), FRAME_BYTES);
    const camera = yield* Camera.open(process, CONTIGUOUS_CAMERA);
    yield* camera.queue(0, buffer);
    t.is(kernel.now(), PAGES * PAGE_NS);
    yield* camera.reqbufs(0);
    t.like(kernel.cpuCache?.cost, { cleanedPages: PAGES, invalidatedPages: PAGES });
  });
});

test('a buffer that is released, leaves nothing in the cache that could be written over the next user of its pages', (t) => {
  nonCoherent(function* (process) {
    const heap = openHeap(process, 'reserved');
    const first = yield* allocateFromHeap(process, heap, 4096);
    const address = mapDmaBuf(process, first);
    process.memory.fill(address, 4096, 0xee);
    process.memory.unmap(address, 4096);
    process.close(first);
    const second = yield* allocateFromHeap(process, heap, 4096);
    const large = yield* systemBuffer(process, 3 * 2 ** 20); // more than the cache holds
    process.memory.read(mapDmaBuf(process, large), 3 * 2 ** 20);
    t.deepEqual(new Set(process.memory.read(mapDmaBuf(process, second), 4096)), new Set([0]));
  });
});
