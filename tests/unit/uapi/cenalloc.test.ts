import { sleepUntil, type Task } from '@dmabuf-lab/core/base';
import { DmaBufCaller } from '@dmabuf-lab/core/dma-buf';
import {
  allocateFromHeap,
  attachVgemFence,
  beginCpuAccess,
  CENALLOC_IOCTL_CREATE,
  closeGemHandle,
  createConstrained,
  dmaBufSize,
  endCpuAccess,
  mapDmaBuf,
  O,
  openCenalloc,
  openDrm,
  openHeap,
  type Process,
  placementOf,
  primeFdToHandle,
  type SimulatedKernel,
  signalVgemFence,
} from '@dmabuf-lab/uapi';
import test from 'ava';
import { ANY_CAMERA, Camera, CONTIGUOUS_CAMERA, FRAME_BYTES } from './cameras.js';
import { fileOf, runInProcess, runOnProgramMachine } from './run-in-process.js';

const MS = 1_000_000;
/** To copy 29 pages at 4 GB/s. */
const COPY_NS = 29_696;
const VGEM = '/dev/dri/card0';

/** What a call throws; undefined when it does not. */
function* errorOf(call: Task<unknown>): Task<{ readonly code?: string; readonly message: string } | undefined> {
  try {
    yield* call;
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

function* frame(process: Process): Task<number> {
  return yield* createConstrained(process, openCenalloc(process), FRAME_BYTES);
}

function signalAt(process: Process, kernel: SimulatedKernel, vgem: number, fence: number, atNs: number): void {
  kernel.at(atNs, 'the device', () => kernel.spawn('the device', signalVgemFence(process, vgem, fence)));
}

test('/dev/cenalloc, is not on the machine that cases are recorded on', (t) => {
  runInProcess(function* (process) {
    t.throws(() => openCenalloc(process), { code: 'ENOENT' });
    yield* sleepUntil(0, 'nothing');
  });
});

test('CENALLOC_IOCTL_CREATE, gives a dma-buf of whole pages without storage', (t) => {
  runOnProgramMachine(function* (process) {
    const buffer = yield* frame(process);
    t.is(dmaBufSize(process, buffer), 29 * 4096);
    t.deepEqual(process.fds.file(buffer, 'test').fdinfo(), { size: 118_784, count: 1, exp_name: 'cenalloc', moves: 0 });
    t.deepEqual(placementOf(process, buffer), { heap: undefined, why: undefined, devices: [], moves: 0 });
  });
});

test('CENALLOC_IOCTL_CREATE, refuses what is not right, and makes nothing', (t) => {
  runOnProgramMachine(function* (process) {
    const cenalloc = openCenalloc(process);
    const good = { len: 4096n, align: 0n, fd: 0, fd_flags: O.RDWR, flags: 0n };
    const bad = [
      { len: 0n },
      { len: 2n ** 63n },
      { align: 3n },
      { align: 2n ** 33n },
      { fd: 3 },
      { fd_flags: O.NONBLOCK },
      { flags: 1n },
    ];
    for (const one of bad) {
      const error = yield* errorOf(process.command(cenalloc, CENALLOC_IOCTL_CREATE, { ...good, ...one }));
      t.is(error?.code, 'EINVAL', Object.keys(one).join());
    }
    t.is((yield* errorOf(process.ioctl(cenalloc, CENALLOC_IOCTL_CREATE.number + 1, 0n)))?.code, 'ENOTTY');
    t.is((yield* errorOf(process.ioctl(cenalloc, CENALLOC_IOCTL_CREATE.number, 1n)))?.code, 'EFAULT');
    t.deepEqual(process.fds.numbers, [cenalloc]);
  });
});

test('a constrained buffer, is placed at the first map for all who have attached', (t) => {
  runOnProgramMachine(function* (process, kernel) {
    const buffer = yield* frame(process);
    const vgem = openDrm(process, VGEM);
    yield* primeFdToHandle(process, vgem, buffer);
    t.is(placementOf(process, buffer).heap, undefined, 'attached, not mapped');
    const camera = yield* Camera.open(process, CONTIGUOUS_CAMERA);
    yield* camera.queue(0, buffer);
    const { heap, why, devices, moves } = placementOf(process, buffer);
    t.deepEqual([heap, devices, moves], ['reserved', ['vgem', 'vivid-002'], 0]);
    t.regex(why ?? '', /vivid-002 needs contiguous memory/);
    t.deepEqual(kernel.dmaBufRules.findings, []);
  });
});

test('a constrained buffer, mapped by nobody but the CPU, is zeroed pages of the least scarce heap', (t) => {
  runOnProgramMachine(function* (process) {
    const buffer = yield* frame(process);
    const address = mapDmaBuf(process, buffer);
    t.is(placementOf(process, buffer).heap, undefined, 'mmap alone chooses nothing');
    t.deepEqual([...process.memory.read(address + 4095, 2)], [0, 0]);
    t.is(placementOf(process, buffer).heap, 'system');
  });
});

test('a constrained buffer, is placed by the kernel mapping of a driver too', (t) => {
  runOnProgramMachine(function* (process) {
    const buffer = yield* frame(process);
    const camera = yield* Camera.open(process, ANY_CAMERA);
    yield* camera.queue(0, buffer);
    t.is(placementOf(process, buffer).heap, 'system');
    yield* camera.stream(true);
    yield* camera.queue(1, yield* frame(process));
    t.is(yield* camera.dequeue(), 0);
    t.notDeepEqual([...process.memory.read(mapDmaBuf(process, buffer), 4)], [0, 0, 0, 0], 'the picture is there');
  });
});

test('a late device that does not reach the storage, moves it once the fences of others are over', (t) => {
  runOnProgramMachine(function* (process, kernel) {
    const buffer = yield* frame(process);
    const vgem = openDrm(process, VGEM);
    const handle = yield* primeFdToHandle(process, vgem, buffer);
    const fence = yield* attachVgemFence(process, vgem, handle, 'write');
    const address = mapDmaBuf(process, buffer);
    process.memory.write(address + 8190, Uint8Array.of(5, 6, 7, 8));
    t.is(placementOf(process, buffer).heap, 'system');
    signalAt(process, kernel, vgem, fence, 8 * MS);
    const camera = yield* Camera.open(process, CONTIGUOUS_CAMERA);
    yield* camera.queue(0, buffer);
    t.is(kernel.now(), 8 * MS + COPY_NS);
    t.like(placementOf(process, buffer), { heap: 'reserved', moves: 1, devices: ['vgem', 'vivid-002'] });
    t.deepEqual([...process.memory.read(address + 8190, 4)], [5, 6, 7, 8]);
    const next = yield* attachVgemFence(process, vgem, handle, 'read');
    t.is(fileOf(process, buffer).object.mappings.size, 2, 'both have it mapped, where it is now');
    yield* signalVgemFence(process, vgem, next);
    t.deepEqual(kernel.dmaBufRules.findings, []);
  });
});

test('a move, waits for an open CPU access, and jobs of other devices wait for the move', (t) => {
  runOnProgramMachine(function* (process, kernel) {
    const buffer = yield* frame(process);
    const vgem = openDrm(process, VGEM);
    const handle = yield* primeFdToHandle(process, vgem, buffer);
    const address = mapDmaBuf(process, buffer);
    yield* beginCpuAccess(process, buffer, 'write');
    process.memory.write(address, Uint8Array.of(1));
    kernel.spawn(
      'the program',
      (function* () {
        yield* sleepUntil(3 * MS, 'work');
        process.memory.write(address + 1, Uint8Array.of(2));
        yield* endCpuAccess(process, buffer, 'write');
      })(),
    );
    const jobs: number[] = [];
    kernel.spawn(
      'the GPU',
      (function* () {
        yield* sleepUntil(3 * MS + 1, 'work');
        yield* attachVgemFence(process, vgem, handle, 'read');
        jobs.push(kernel.now());
      })(),
    );
    const camera = yield* Camera.open(process, CONTIGUOUS_CAMERA);
    yield* camera.queue(0, buffer);
    t.is(kernel.now(), 3 * MS + COPY_NS);
    t.deepEqual([...process.memory.read(address, 2)], [1, 2]);
    yield* sleepUntil(4 * MS, 'a while');
    t.deepEqual(jobs, [3 * MS + COPY_NS]);
  });
});

test('a buffer that is held where it is, refuses a late device with EBUSY, and nothing has changed', (t) => {
  runOnProgramMachine(function* (process) {
    const buffer = yield* frame(process);
    const holder = yield* Camera.open(process, ANY_CAMERA);
    yield* holder.queue(0, buffer);
    const late = yield* Camera.open(process, CONTIGUOUS_CAMERA);
    const error = yield* errorOf(late.queue(0, buffer));
    t.is(error?.code, 'EBUSY');
    t.regex(error?.message ?? '', /pinned .* by vivid-000-vid-cap \(vmap\)/);
    t.like(placementOf(process, buffer), { heap: 'system', moves: 0 });
    t.is(fileOf(process, buffer).attachments.size, 0);
    yield* holder.reqbufs(0);
    yield* late.queue(1, buffer);
    t.like(placementOf(process, buffer), { heap: 'reserved', moves: 1 });
  });
});

test('a device that holds its mapping, keeps the buffer until REQBUFS(0), and does not stay attached', (t) => {
  runOnProgramMachine(function* (process) {
    const buffer = yield* frame(process);
    const camera = yield* Camera.open(process, CONTIGUOUS_CAMERA);
    yield* camera.queue(0, buffer);
    const { object } = fileOf(process, buffer);
    t.deepEqual(object.pinnedBy, ['vivid-002 mapping 1 (from-device)']);
    yield* camera.reqbufs(0);
    t.deepEqual([object.pinnedBy, object.attachments.size, fileOf(process, buffer).references], [[], 0, 1]);
  });
});

test('demands that no heap meets, are EINVAL at the attach, and SIGBUS for the CPU', (t) => {
  runOnProgramMachine(function* (process) {
    const cenalloc = openCenalloc(process);
    const buffer = yield* createConstrained(process, cenalloc, FRAME_BYTES, { alignmentBytes: 2 ** 32 });
    const error = yield* errorOf(primeFdToHandle(process, openDrm(process, VGEM), buffer));
    t.is(error?.code, 'EINVAL');
    t.regex(error?.message ?? '', /the creator/);
    const address = mapDmaBuf(process, buffer);
    t.throws(() => process.memory.read(address, 1), { message: /SIGBUS/ });
  });
});

test('the alignment that the creator asks for, decides like a device', (t) => {
  runOnProgramMachine(function* (process) {
    const buffer = yield* createConstrained(process, openCenalloc(process), 2 ** 20, { alignmentBytes: 2 ** 20 });
    process.memory.read(mapDmaBuf(process, buffer), 1);
    t.like(placementOf(process, buffer), { heap: 'reserved', devices: ['the creator'] });
  });
});

test('a late device for which there is no room, is refused, and the buffer stays of use to others', (t) => {
  runOnProgramMachine(function* (process) {
    yield* allocateFromHeap(process, openHeap(process, 'reserved'), 64 * 2 ** 20);
    const buffer = yield* frame(process);
    const vgem = openDrm(process, VGEM);
    const handle = yield* primeFdToHandle(process, vgem, buffer);
    yield* signalVgemFence(process, vgem, yield* attachVgemFence(process, vgem, handle, 'write'));
    const camera = yield* Camera.open(process, CONTIGUOUS_CAMERA);
    const error = yield* errorOf(camera.queue(0, buffer));
    t.is(error?.code, 'EINVAL', 'what vb2 makes of an error of the mapping');
    t.is(fileOf(process, buffer).attachments.size, 1);
    t.like(placementOf(process, buffer), { heap: 'system', moves: 0 });
    yield* signalVgemFence(process, vgem, yield* attachVgemFence(process, vgem, handle, 'write'));
  });
});

test('a buffer of a heap by name, is imported as it is: in pieces it is EFAULT for a device that needs one', (t) => {
  runOnProgramMachine(function* (process) {
    const camera = yield* Camera.open(process, CONTIGUOUS_CAMERA);
    const scattered = yield* allocateFromHeap(process, openHeap(process, 'system'), FRAME_BYTES);
    const error = yield* errorOf(camera.queue(0, scattered));
    t.is(error?.code, 'EFAULT');
    t.regex(error?.message ?? '', /lie in 14 runs, and the device needs one/);
    t.is(fileOf(process, scattered).attachments.size, 0);
    const whole = yield* allocateFromHeap(process, openHeap(process, 'reserved'), FRAME_BYTES);
    yield* camera.queue(0, whole);
    t.is(fileOf(process, whole).attachments.size, 1);
  });
});

test('storage, goes back to its heap with the last user, moved or not', (t) => {
  runOnProgramMachine(function* (process) {
    const vgem = openDrm(process, VGEM);
    const cenalloc = openCenalloc(process);
    const camera = yield* Camera.open(process, CONTIGUOUS_CAMERA);
    for (let i = 0; i < 200; i += 1) {
      // More than fits into the heap, were it not given back.
      const buffer = yield* createConstrained(process, cenalloc, 2 ** 19);
      const handle = yield* primeFdToHandle(process, vgem, buffer);
      yield* signalVgemFence(process, vgem, yield* attachVgemFence(process, vgem, handle, 'write'));
      yield* camera.queue(0, buffer);
      t.like(placementOf(process, buffer), { heap: 'reserved', moves: 1 });
      yield* camera.reqbufs(0);
      yield* camera.reqbufs(4);
      process.close(buffer);
      yield* closeGemHandle(process, vgem, handle);
    }
  });
});

test('a device that reaches the storage, maps it although it cannot move for another', (t) => {
  runOnProgramMachine(function* (process) {
    const buffer = yield* frame(process);
    process.memory.read(mapDmaBuf(process, buffer), 1);
    const file = fileOf(process, buffer);
    const strict = file.attach('vivid-002'); // by a driver that attaches long before it maps
    const holder = yield* Camera.open(process, ANY_CAMERA);
    yield* holder.queue(0, buffer);
    const vgem = openDrm(process, VGEM);
    const handle = yield* primeFdToHandle(process, vgem, buffer);
    yield* signalVgemFence(process, vgem, yield* attachVgemFence(process, vgem, handle, 'write'));
    t.is(file.object.mappings.size, 1);
    const error = yield* errorOf(file.lockAndMap(new DmaBufCaller('a driver'), strict, 'from-device'));
    t.is(error?.code, 'EBUSY');
    t.false(file.reservation.mutex.isLocked);
    yield* holder.reqbufs(0);
    const caller = new DmaBufCaller('a driver');
    const mapping = yield* file.lockAndMap(caller, strict, 'from-device');
    t.like(placementOf(process, buffer), { heap: 'reserved', moves: 1 });
    file.object.unmapAttachment(caller, mapping);
    caller.unlock(file.reservation);
    file.detach(strict);
  });
});

test('the calls of a video queue, wait while QBUF waits for a move', (t) => {
  runOnProgramMachine(function* (process, kernel) {
    const buffer = yield* frame(process);
    mapDmaBuf(process, buffer);
    const vgem = openDrm(process, VGEM);
    const handle = yield* primeFdToHandle(process, vgem, buffer);
    const fence = yield* attachVgemFence(process, vgem, handle, 'read');
    signalAt(process, kernel, vgem, fence, 2 * MS);
    const camera = yield* Camera.open(process, CONTIGUOUS_CAMERA);
    const ends: string[] = [];
    kernel.spawn(
      'a thread',
      (function* () {
        yield* camera.queue(0, buffer);
        ends.push('QBUF');
      })(),
    );
    yield* sleepUntil(1 * MS, 'a while');
    yield* camera.reqbufs(0);
    ends.push('REQBUFS');
    t.deepEqual(ends, ['QBUF', 'REQBUFS']);
    t.is(kernel.now(), 2 * MS + COPY_NS);
    t.is(fileOf(process, buffer).object.mappings.size, 0, 'vgem has followed the move, the camera is gone');
  });
});

for (const rules of [{ mode: 'strict' }, { kernel: '7' }] as const) {
  test(`a move for a late device, with ${Object.values(rules)[0]}, breaks no rule`, (t) => {
    runOnProgramMachine(
      function* (process, kernel) {
        const buffer = yield* frame(process);
        const vgem = openDrm(process, VGEM);
        const handle = yield* primeFdToHandle(process, vgem, buffer);
        yield* signalVgemFence(process, vgem, yield* attachVgemFence(process, vgem, handle, 'write'));
        const camera = yield* Camera.open(process, CONTIGUOUS_CAMERA);
        yield* camera.queue(0, buffer);
        yield* closeGemHandle(process, vgem, handle);
        yield* camera.reqbufs(0);
        t.like(placementOf(process, buffer), { heap: 'reserved', moves: 1 });
        process.close(buffer);
        t.deepEqual(kernel.dmaBufRules.findings, []);
      },
      { rules },
    );
  });
}
