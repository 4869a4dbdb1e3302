import type { Fence } from '@dmabuf-lab/core/sync';
import {
  attachVgemFence,
  beginCpuAccess,
  createSyncObject,
  exportSyncFile,
  mapRenderBuffer,
  openDrm,
  type Process,
  primeFdToHandle,
  primeHandleToFd,
  readSyncFile,
  type SyncFileFile,
  signalSyncObjects,
  signalVgemFence,
  submitRender,
  waitRender,
  waitSyncFile,
  waitSyncObjects,
} from '@dmabuf-lab/uapi';
import test from 'ava';
import { addGpu, GPU, later, MS, onMachine } from './drm-machine.js';
import {
  HEIGHT,
  heapPicture,
  NV12_STRIDE,
  numbered,
  nv12Source,
  RGBA_BYTES,
  rendered,
  rgbaBuffer,
  rgbaTarget,
  testPattern,
} from './pictures.js';

const VGEM = '/dev/dri/card0';

test('submitRender, of a picture in a heap buffer, draws what the kernels of the driver do, at the end of its service', (t) => {
  onMachine(function* ({ process, kernel, host }) {
    const device = addGpu(host, { service: '5ms' });
    const gpu = openDrm(process, GPU);
    const pattern = testPattern(7);
    const source = yield* heapPicture(process, gpu, pattern);
    const target = yield* rgbaBuffer(process, gpu);
    const address = yield* mapRenderBuffer(process, gpu, target);
    const job = yield* submitRender(process, gpu, { source: nv12Source(source.handle), target: rgbaTarget(target) });
    t.is(kernel.now(), 0);
    t.is(yield* waitRender(process, gpu, job.number), 1);
    t.is(kernel.now(), 5 * MS);
    t.deepEqual(process.memory.read(address, RGBA_BYTES), rendered(pattern, 1));
    t.like(device.statistics, { framesIn: 1, framesOut: 1, serviceNs: 5 * MS });
  });
});

test('submitRender, with planes apart and padded rows, reads them where they are', (t) => {
  onMachine(function* ({ process, host }) {
    addGpu(host);
    const gpu = openDrm(process, GPU);
    const pattern = testPattern(3);
    const stride = 384;
    const lumaRows = HEIGHT + 12;
    const padded = new Uint8Array(4096 + stride * (lumaRows + HEIGHT / 2));
    for (let y = 0; y < HEIGHT * 1.5; y += 1) {
      const row = y < HEIGHT ? y : y - HEIGHT + lumaRows;
      padded.set(pattern.subarray(y * NV12_STRIDE, (y + 1) * NV12_STRIDE), 4096 + row * stride);
    }
    const source = yield* heapPicture(process, gpu, padded);
    const target = yield* rgbaBuffer(process, gpu);
    const address = yield* mapRenderBuffer(process, gpu, target);
    const { number } = yield* submitRender(process, gpu, {
      source: {
        ...nv12Source(source.handle),
        strideBytes: stride,
        offsetBytes: 4096,
        chromaOffsetBytes: 4096 + stride * lumaRows,
      },
      target: rgbaTarget(target),
    });
    t.is(yield* waitRender(process, gpu, number), 1);
    t.deepEqual(process.memory.read(address, RGBA_BYTES), rendered(pattern, 1));
  });
});

test('submitRender, of a driver that works in place, draws into the source and takes no target', (t) => {
  onMachine(function* ({ process, host }) {
    addGpu(host, { mode: 'in-place' });
    const gpu = openDrm(process, GPU);
    const pattern = testPattern(9);
    const source = yield* heapPicture(process, gpu, pattern);
    const { number } = yield* submitRender(process, gpu, { source: nv12Source(source.handle) });
    yield* beginCpuAccess(process, source.fd, 'read');
    t.deepEqual(process.memory.read(source.address, pattern.length), numbered(pattern, number));
  });
});

test('a job, whose source is being written, waits for the writer; one that reads, does not wait for readers', (t) => {
  onMachine(function* ({ process, kernel, host }) {
    const device = addGpu(host, { service: '4ms' });
    const gpu = openDrm(process, GPU);
    const vgem = openDrm(process, VGEM);
    const pattern = testPattern(1);
    const source = yield* heapPicture(process, gpu, pattern);
    const target = yield* rgbaBuffer(process, gpu);
    const imported = yield* primeFdToHandle(process, vgem, source.fd);
    const writing = yield* attachVgemFence(process, vgem, imported, 'write');
    const one = yield* submitRender(process, gpu, { source: nv12Source(source.handle), target: rgbaTarget(target) });
    later(kernel, 10 * MS, () => signalVgemFence(process, vgem, writing));
    t.is(yield* waitRender(process, gpu, one.number), 1);
    t.is(kernel.now(), 14 * MS);
    t.is(device.statistics.fenceWaitNs, 10 * MS);
    const spans = host.services.trace.events.map(({ track, name, startNs, durationNs = 0 }) => [
      `${track} ${name}`,
      startNs,
      startNs + durationNs,
    ]);
    t.deepEqual(spans, [
      ['gpu wait: fence', 0, 10 * MS],
      ['gpu job', 10 * MS, 14 * MS],
      ['gpu fence', 0, 14 * MS],
    ]);
    const reading = yield* attachVgemFence(process, vgem, imported, 'read');
    const two = yield* submitRender(process, gpu, { source: nv12Source(source.handle), target: rgbaTarget(target) });
    t.is(yield* waitRender(process, gpu, two.number), 1);
    t.is(kernel.now(), 18 * MS);
    yield* signalVgemFence(process, vgem, reading);
  });
});

test('a job, whose target is being read, waits for the reader; CPU access waits for the job', (t) => {
  onMachine(function* ({ process, kernel, host }) {
    addGpu(host, { service: '4ms' });
    const gpu = openDrm(process, GPU);
    const vgem = openDrm(process, VGEM);
    const source = yield* heapPicture(process, gpu, testPattern(1));
    const target = yield* rgbaBuffer(process, gpu);
    const fd = yield* primeHandleToFd(process, gpu, target.handle);
    const imported = yield* primeFdToHandle(process, vgem, fd);
    const reading = yield* attachVgemFence(process, vgem, imported, 'read');
    later(kernel, 3 * MS, () => signalVgemFence(process, vgem, reading));
    yield* submitRender(process, gpu, { source: nv12Source(source.handle), target: rgbaTarget(target) });
    yield* beginCpuAccess(process, source.fd, 'read');
    t.is(kernel.now(), 0, 'the job only reads the source');
    yield* beginCpuAccess(process, fd, 'read');
    t.is(kernel.now(), 7 * MS);
  });
});

test('jobs that depend on each other, run one after another without the processor, and read what the last one wrote', (t) => {
  onMachine(function* ({ process, kernel, host }) {
    addGpu(host, { mode: 'in-place', service: '2ms', servers: 2 });
    const gpu = openDrm(process, GPU);
    const pattern = testPattern(4);
    const source = yield* heapPicture(process, gpu, pattern);
    const job = { source: nv12Source(source.handle) };
    const first = yield* submitRender(process, gpu, job);
    yield* submitRender(process, gpu, job);
    const last = yield* submitRender(process, gpu, job);
    t.is(kernel.now(), 0);
    t.is(yield* waitRender(process, gpu, last.number), 1);
    t.is(kernel.now(), 6 * MS);
    t.deepEqual(process.memory.read(source.address, pattern.length), numbered(pattern, first.number));
  });
});

/** Submits two jobs that have nothing to do with each other, and waits for both. */
function* twoJobs(process: Process, gpu: number, ends: number[], now: () => number) {
  const source = yield* heapPicture(process, gpu, testPattern(1));
  const jobs: number[] = [];
  for (let i = 0; i < 2; i += 1) {
    const target = yield* rgbaBuffer(process, gpu);
    const job = { source: nv12Source(source.handle), target: rgbaTarget(target) };
    jobs.push((yield* submitRender(process, gpu, job)).number);
  }
  for (const job of jobs) {
    yield* waitRender(process, gpu, job);
    ends.push(now());
  }
}

for (const [servers, expected] of [
  [1, [4 * MS, 8 * MS]],
  [2, [4 * MS, 4 * MS]],
] as const) {
  test(`two jobs on a GPU with ${servers} servers, end at ${expected.map((ns) => ns / MS).join(' and ')} ms`, (t) => {
    onMachine(function* ({ process, kernel, host }) {
      addGpu(host, { service: '4ms', servers });
      const ends: number[] = [];
      yield* twoJobs(process, openDrm(process, GPU), ends, () => kernel.now());
      t.deepEqual(ends, [...expected]);
    });
  });
}

test('fences of one file, signal in the order of submission, also when a later job is done first', (t) => {
  onMachine(function* ({ process, host }) {
    addGpu(host, { service: { uniform: ['1ms', '20ms'] }, servers: 4 });
    const gpu = openDrm(process, GPU);
    const source = yield* heapPicture(process, gpu, testPattern(1));
    const outFences: number[] = [];
    for (let i = 0; i < 12; i += 1) {
      const target = yield* rgbaBuffer(process, gpu);
      const job = { source: nv12Source(source.handle), target: rgbaTarget(target), outFence: true };
      outFences.push((yield* submitRender(process, gpu, job)).outFence as number);
    }
    yield* waitRender(process, gpu, 12);
    const times: number[] = [];
    for (const fd of outFences) times.push((yield* readSyncFile(process, fd)).fences[0].timestampNs);
    t.deepEqual(
      times,
      [...times].sort((a, b) => a - b),
    );
    t.true(new Set(times).size < times.length, 'some were retired with an earlier one');
  });
});

test('inFence and outFence, order jobs that are not implicit, and nothing else does', (t) => {
  onMachine(function* ({ process, kernel, host }) {
    addGpu(host, { service: '4ms' });
    const gpu = openDrm(process, GPU);
    const vgem = openDrm(process, VGEM);
    const source = yield* heapPicture(process, gpu, testPattern(1));
    const target = yield* rgbaBuffer(process, gpu);
    const imported = yield* primeFdToHandle(process, vgem, source.fd);
    const writing = yield* attachVgemFence(process, vgem, imported, 'write');
    const job = { source: nv12Source(source.handle), target: rgbaTarget(target), implicit: false };
    const free = yield* submitRender(process, gpu, { ...job, outFence: true });
    t.true(yield* waitSyncFile(process, free.outFence as number, -1));
    t.is(kernel.now(), 4 * MS, 'the fence of the writer does not hold it up');
    const inFence = yield* exportSyncFile(process, source.fd, 'read');
    const bound = yield* submitRender(process, gpu, { ...job, inFence, outFence: true });
    const fd = yield* primeHandleToFd(process, gpu, target.handle);
    yield* beginCpuAccess(process, fd, 'write');
    t.is(kernel.now(), 4 * MS, 'nobody waits for a job that is not implicit');
    later(kernel, 9 * MS, () => signalVgemFence(process, vgem, writing));
    t.true(yield* waitSyncFile(process, bound.outFence as number, -1));
    t.is(kernel.now(), 13 * MS);
    const { fences } = yield* readSyncFile(process, bound.outFence as number);
    t.like(fences[0], { driverName: 'dmabuf-lab', timelineName: 'gpu', status: 1, timestampNs: 13 * MS });
  });
});

test('points of a timeline, order jobs: one waits for a point and gives the next', (t) => {
  onMachine(function* ({ process, kernel, host }) {
    addGpu(host, { service: '4ms' });
    const gpu = openDrm(process, GPU);
    const vgem = openDrm(process, VGEM);
    const timeline = yield* createSyncObject(process, gpu);
    const source = yield* heapPicture(process, gpu, testPattern(1));
    const target = yield* rgbaBuffer(process, gpu);
    const job = { source: nv12Source(source.handle), target: rgbaTarget(target), implicit: false };
    const imported = yield* primeFdToHandle(process, vgem, source.fd);
    const writing = yield* attachVgemFence(process, vgem, imported, 'write');
    const inFence = yield* exportSyncFile(process, source.fd, 'read');
    yield* submitRender(process, gpu, { ...job, inFence, signal: { handle: timeline, point: 5n } });
    yield* submitRender(process, gpu, {
      ...job,
      waitFor: { handle: timeline, point: 5n },
      signal: { handle: timeline, point: 6n },
    });
    later(kernel, 2 * MS, () => signalVgemFence(process, vgem, writing));
    t.is(
      yield* waitSyncObjects(process, gpu, [{ handle: timeline, point: 6n }], {
        all: true,
        forSubmit: true,
        untilNs: 5 * MS,
      }),
      undefined,
    );
    t.not(
      yield* waitSyncObjects(process, gpu, [{ handle: timeline, point: 5n }], {
        all: true,
        forSubmit: true,
        untilNs: 20 * MS,
      }),
      undefined,
    );
    t.is(kernel.now(), 6 * MS);
    t.not(
      yield* waitSyncObjects(process, gpu, [{ handle: timeline, point: 6n }], {
        all: true,
        forSubmit: true,
        untilNs: 20 * MS,
      }),
      undefined,
    );
    t.is(kernel.now(), 10 * MS);
    yield* signalSyncObjects(process, gpu, [{ handle: timeline, point: 9n }]);
    t.not(
      yield* waitSyncObjects(process, gpu, [{ handle: timeline, point: 9n }], {
        all: true,
        forSubmit: true,
        untilNs: 0,
      }),
      undefined,
    );
  });
});

test('a job of a file that waits, does not hold up the jobs of another file', (t) => {
  onMachine(function* ({ process, kernel, host }) {
    addGpu(host, { service: '4ms' });
    const vgem = openDrm(process, VGEM);
    const [one, other] = [openDrm(process, GPU), openDrm(process, GPU)];
    const source = yield* heapPicture(process, one, testPattern(1));
    const imported = yield* primeFdToHandle(process, vgem, source.fd);
    const writing = yield* attachVgemFence(process, vgem, imported, 'write');
    const target = yield* rgbaBuffer(process, one);
    const held = yield* submitRender(process, one, { source: nv12Source(source.handle), target: rgbaTarget(target) });
    const second = yield* heapPicture(process, other, testPattern(2));
    const room = yield* rgbaBuffer(process, other);
    const free = yield* submitRender(process, other, { source: nv12Source(second.handle), target: rgbaTarget(room) });
    t.is(yield* waitRender(process, other, free.number), 1);
    t.is(kernel.now(), 4 * MS);
    yield* signalVgemFence(process, vgem, writing);
    t.is(yield* waitRender(process, one, held.number), 1);
    t.is(kernel.now(), 8 * MS);
  });
});

test('a job, is known to the contract of fences: by whom it will be signalled, and what has to signal before', (t) => {
  onMachine(function* ({ process, kernel, host }) {
    addGpu(host);
    const gpu = openDrm(process, GPU);
    const source = yield* heapPicture(process, gpu, testPattern(1));
    const target = yield* rgbaBuffer(process, gpu);
    const job = { source: nv12Source(source.handle), target: rgbaTarget(target), outFence: true };
    const fences: Fence[] = [];
    for (let i = 0; i < 2; i += 1) {
      const { outFence } = yield* submitRender(process, gpu, job);
      fences.push((process.fds.file(outFence as number, 'test') as SyncFileFile).syncFile.fence);
    }
    const second = kernel.fenceContract.publication(fences[1]);
    t.like(second, { where: 'DRM_IOCTL_LAB_SUBMIT', after: [fences[0]] });
    t.is(second?.path.name, 'gpu job 2');
    const path = second?.path;
    t.like(
      t.throws(() => path?.mightLock('a reservation', 'a driver')),
      { code: 'EDEADLK' },
    );
    yield* waitRender(process, gpu, 2);
    t.notThrows(() => path?.mightLock('a reservation', 'a driver'));
  });
});

test('a job that draws into a picture, waits for the jobs of another GPU that still read it, and they do not see it', (t) => {
  onMachine(function* ({ process, kernel, host }) {
    addGpu(host, { service: '6ms', servers: 2 });
    addGpu(host, { mode: 'in-place', service: '1ms' }, '/dev/dri/renderD131');
    const [reader, writer] = [openDrm(process, GPU), openDrm(process, '/dev/dri/renderD131')];
    const pattern = testPattern(1);
    const source = yield* heapPicture(process, reader, pattern);
    const own = yield* primeFdToHandle(process, writer, source.fd);
    const targets = [yield* rgbaBuffer(process, reader), yield* rgbaBuffer(process, reader)];
    for (const target of targets) {
      yield* submitRender(process, reader, { source: nv12Source(source.handle), target: rgbaTarget(target) });
    }
    yield* submitRender(process, writer, { source: nv12Source(own) });
    t.is(yield* waitRender(process, writer, 1), 1);
    t.is(kernel.now(), 7 * MS);
    for (const [i, target] of targets.entries()) {
      const address = yield* mapRenderBuffer(process, reader, target);
      t.deepEqual(process.memory.read(address, RGBA_BYTES), rendered(pattern, i + 1));
    }
    t.deepEqual(process.memory.read(source.address, pattern.length), numbered(pattern, 1));
  });
});
