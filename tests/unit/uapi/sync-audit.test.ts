import { sleepUntil, type Task } from '@dmabuf-lab/core/base';
import type { DmaBufFinding } from '@dmabuf-lab/core/dma-buf';
import * as uapi from '@dmabuf-lab/uapi';
import test from 'ava';
import { ANY_CAMERA, Camera, FRAME_BYTES } from './cameras.js';
import { BOCHS, Display, ID, ManualFence, VIRTIO_GPU } from './kms/display.js';
import { fileOf, runInProcess, runOnProgramMachine } from './run-in-process.js';

const MS = 1_000_000;
const OUTPUT = '/dev/video1';
const { VIDEO_OUTPUT, VIDEO_CAPTURE } = uapi.V4L2_BUF_TYPE;

interface Setup {
  readonly vgem: number;
  readonly buffer: number;
  readonly handle: number;
  readonly name: string;
}

/** A buffer of a heap that vgem has imported. */
function* shared(process: uapi.Process): Task<Setup> {
  const vgem = uapi.openDrm(process, '/dev/dri/card0');
  const buffer = yield* uapi.allocateFromHeap(process, uapi.openHeap(process, 'system'), FRAME_BYTES);
  const handle = yield* uapi.primeFdToHandle(process, vgem, buffer);
  return { vgem, buffer, handle, name: fileOf(process, buffer).object.name };
}

const kinds = ({ dmaBufRules }: uapi.SimulatedKernel): string[] => dmaBufRules.findings.map(({ kind }) => kind);
const ops = (findings: readonly DmaBufFinding[]): string[] => findings.map(({ op }) => op);

test('a capture, queued with a fence pending, does not wait, and the finding names both, both times and the remedy', (t) => {
  runInProcess(function* (process, kernel) {
    const { vgem, buffer, handle, name } = yield* shared(process);
    yield* sleepUntil(2 * MS, 'a while');
    const fence = yield* uapi.attachVgemFence(process, vgem, handle, 'read');
    yield* sleepUntil(3 * MS, 'a while');
    const camera = yield* Camera.open(process, ANY_CAMERA);
    yield* camera.stream(true);
    yield* camera.queue(0, buffer);
    t.is(kernel.now(), 3 * MS, 'nothing has waited');
    const [finding, ...others] = kernel.dmaBufRules.findings;
    t.deepEqual(others, []);
    t.like(finding, { kind: 'v4l2-ignores-fence', op: 'VIDIOC_QBUF', buffer: name, who: 'vivid-000-vid-cap' });
    t.like(finding.details, { access: 'write', atNs: 3 * MS, otherSinceNs: 2 * MS });
    t.regex(String(finding.details.other), /^vgem-unbound/);
    t.regex(finding.message, /at 3\.000 ms .* since 2\.000 ms.* Remedy: DMA_BUF_IOCTL_EXPORT_SYNC_FILE for writing/);
    yield* uapi.signalVgemFence(process, vgem, fence);
  });
});

test('a capture, queued before STREAMON, is looked at when the device begins', (t) => {
  runInProcess(function* (process, kernel) {
    const { vgem, buffer, handle } = yield* shared(process);
    const camera = yield* Camera.open(process, ANY_CAMERA);
    const fence = yield* uapi.attachVgemFence(process, vgem, handle, 'write');
    yield* camera.queue(0, buffer);
    t.deepEqual(kinds(kernel), []);
    yield* uapi.signalVgemFence(process, vgem, fence);
    yield* camera.stream(true);
    t.deepEqual(kinds(kernel), []);
  });
});

test('a capture, queued after the sync file of the buffer has signalled, is fine: the remedy', (t) => {
  runInProcess(function* (process, kernel) {
    const { vgem, buffer, handle } = yield* shared(process);
    const fence = yield* uapi.attachVgemFence(process, vgem, handle, 'write');
    kernel.at(5 * MS, 'the device', () => kernel.spawn('the device', uapi.signalVgemFence(process, vgem, fence)));
    const camera = yield* Camera.open(process, ANY_CAMERA);
    yield* camera.stream(true);
    t.true(yield* uapi.waitSyncFile(process, yield* uapi.exportSyncFile(process, buffer, 'write'), -1));
    yield* camera.queue(0, buffer);
    t.is(yield* camera.dequeue(), 0);
    yield* uapi.beginCpuAccess(process, buffer, 'read');
    t.deepEqual(kernel.dmaBufRules.findings, []);
  });
});

test('an output, conflicts with writers only', (t) => {
  runInProcess(function* (process, kernel) {
    const { vgem, buffer, handle } = yield* shared(process);
    const reading = yield* uapi.attachVgemFence(process, vgem, handle, 'read');
    const output = yield* Camera.open(process, OUTPUT, VIDEO_OUTPUT);
    yield* output.stream(true);
    yield* output.queue(0, buffer);
    yield* uapi.beginCpuAccess(process, buffer, 'read');
    process.memory.read(uapi.mapDmaBuf(process, buffer), 1);
    t.deepEqual(kinds(kernel), []);
    yield* uapi.signalVgemFence(process, vgem, reading);
    yield* uapi.attachVgemFence(process, vgem, handle, 'write');
    t.deepEqual(kinds(kernel), ['ahead-of-v4l2'], 'a writer goes over what the output still reads');
    const other = yield* Camera.open(process, ANY_CAMERA);
    yield* other.stream(true);
    yield* other.queue(0, buffer);
    t.deepEqual(kinds(kernel).slice(1).sort(), ['ahead-of-v4l2', 'v4l2-ignores-fence']);
  });
});

test('whoever uses a buffer that a camera is writing, goes ahead, and is told of once for each way', (t) => {
  runInProcess(function* (process, kernel) {
    const { vgem, buffer, handle, name } = yield* shared(process);
    const camera = yield* Camera.open(process, ANY_CAMERA);
    yield* camera.stream(true);
    yield* sleepUntil(1 * MS, 'a while');
    yield* camera.queue(0, buffer);
    const address = uapi.mapDmaBuf(process, buffer);
    yield* sleepUntil(2 * MS, 'a while');
    for (let i = 0; i < 2; i += 1) {
      yield* uapi.beginCpuAccess(process, buffer, 'read');
      process.memory.read(address, 1);
      process.memory.write(address, Uint8Array.of(1));
      yield* process.poll([{ fd: buffer, events: uapi.POLL.IN }], 0);
    }
    const fence = yield* uapi.attachVgemFence(process, vgem, handle, 'read');
    const { findings } = kernel.dmaBufRules;
    t.deepEqual(ops(findings), ['DMA_BUF_IOCTL_SYNC', 'a load', 'a store', 'poll', 'DRM_IOCTL_VGEM_FENCE_ATTACH']);
    for (const { kind, buffer: named, details } of findings) {
      t.deepEqual([kind, named], ['ahead-of-v4l2', name]);
      t.like(details, { other: 'vivid-000-vid-cap', otherAccess: 'write', otherSinceNs: 1 * MS, atNs: 2 * MS });
    }
    t.regex(findings[0].message, /user space goes ahead to read .* at 2\.000 ms, while .* since 1\.000 ms.*DQBUF/);
    t.is(yield* camera.dequeue(), 0);
    yield* uapi.signalVgemFence(process, vgem, fence);
    yield* uapi.beginCpuAccess(process, buffer, 'write');
    process.memory.write(address, Uint8Array.of(1));
    t.is(findings.length, 5, 'dequeued: nobody is in the way');
  });
});

test('a buffer that a camera exports, is looked at as one that it imports', (t) => {
  runInProcess(function* (process, kernel) {
    const video = process.open(ANY_CAMERA, uapi.O.RDWR);
    const given = { type: VIDEO_CAPTURE, memory: uapi.V4L2_MEMORY.MMAP };
    yield* process.command(video, uapi.VIDIOC_REQBUFS, { ...given, count: 2 });
    const { fd } = yield* process.command(video, uapi.VIDIOC_EXPBUF, { type: VIDEO_CAPTURE, index: 0 });
    yield* process.command(video, uapi.VIDIOC_QBUF, { ...given, index: 0 });
    yield* uapi.beginCpuAccess(process, fd, 'read');
    t.deepEqual(kinds(kernel), [], 'queued, but not streaming');
    yield* process.command(video, uapi.VIDIOC_STREAMON, { value: VIDEO_CAPTURE });
    yield* uapi.beginCpuAccess(process, fd, 'read');
    t.deepEqual(kinds(kernel), ['ahead-of-v4l2']);
    yield* process.command(video, uapi.VIDIOC_STREAMOFF, { value: VIDEO_CAPTURE });
    yield* uapi.beginCpuAccess(process, fd, 'write');
    t.is(kinds(kernel).length, 1);
  });
});

test('SYNC for writing, that waited for readers and stored nothing, waited too long', (t) => {
  runInProcess(function* (process, kernel) {
    const { vgem, buffer, handle, name } = yield* shared(process);
    const address = uapi.mapDmaBuf(process, buffer);
    for (const stores of [true, false]) {
      const fence = yield* uapi.attachVgemFence(process, vgem, handle, 'read');
      const fromNs = kernel.now();
      kernel.at(fromNs + 4 * MS, 'the GPU', () => kernel.spawn('the GPU', uapi.signalVgemFence(process, vgem, fence)));
      yield* uapi.beginCpuAccess(process, buffer, 'read-write');
      t.is(kernel.now(), fromNs + 4 * MS);
      process.memory.read(address, 1);
      if (stores) process.memory.write(address, Uint8Array.of(1));
      yield* uapi.endCpuAccess(process, buffer, 'read-write');
    }
    const { findings } = kernel.dmaBufRules;
    t.is(findings.length, 1);
    t.like(findings[0], { kind: 'wait-without-conflict', op: 'DMA_BUF_IOCTL_SYNC', buffer: name, who: 'user space' });
    t.like(findings[0].details, { fromNs: 4 * MS, atNs: 8 * MS, otherSinceNs: 4 * MS });
    t.regex(
      findings[0].message,
      /waited from 4\.000 ms to 8\.000 ms for vgem-unbound.*Remedy: begin with DMA_BUF_SYNC_READ/,
    );
  });
});

test('SYNC for writing, that waited for a writer all the while, did not wait too long', (t) => {
  runInProcess(function* (process, kernel) {
    const { vgem, buffer, handle } = yield* shared(process);
    const fence = yield* uapi.attachVgemFence(process, vgem, handle, 'write');
    kernel.at(4 * MS, 'the GPU', () => kernel.spawn('the GPU', uapi.signalVgemFence(process, vgem, fence)));
    yield* uapi.beginCpuAccess(process, buffer, 'write');
    yield* uapi.endCpuAccess(process, buffer, 'write');
    t.is(kernel.now(), 4 * MS);
    t.deepEqual(kinds(kernel), []);
  });
});

test('a bochs display, given IN_FENCE_FD, waits for readers too when the buffer moves into video memory', (t) => {
  runInProcess(function* (process, kernel) {
    const display = yield* Display.open(process, BOCHS);
    const [one, other] = [yield* display.framebuffer(), yield* display.framebuffer()];
    yield* display.turnOn(one.fb);
    const buffer = yield* uapi.primeHandleToFd(process, display.fd, other.handle);
    const [reader, explicit] = [yield* ManualFence.make(process), yield* ManualFence.make(process)];
    yield* uapi.importSyncFile(process, buffer, reader.syncFile, 'read');
    yield* explicit.signal();
    const fromNs = kernel.now();
    kernel.at(fromNs + 6 * MS, 'the reader', () => kernel.spawn('the reader', reader.signal()));
    const flip = yield* display.atomic(0, ['plane', ID.FB, other.fb], ['plane', ID.IN_FENCE, explicit.syncFile]);
    t.is(flip.code, undefined);
    t.is(kernel.now(), fromNs + 6 * MS);
    const { findings } = kernel.dmaBufRules;
    t.is(findings.length, 1);
    t.like(findings[0], {
      kind: 'wait-without-conflict',
      who: 'bochs-drm',
      buffer: fileOf(process, buffer).object.name,
    });
    t.like(findings[0].details, { fromNs, atNs: fromNs + 6 * MS });
    t.regex(findings[0].message, /IN_FENCE_FD does not ask for/);
  });
});

test('a bochs display, whose IN_FENCE_FD outlasts the readers, or whose buffer is in video memory, waits for nothing more', (t) => {
  runInProcess(function* (process, kernel) {
    const display = yield* Display.open(process, BOCHS);
    const [one, other] = [yield* display.framebuffer(), yield* display.framebuffer()];
    yield* display.turnOn(one.fb);
    const buffer = yield* uapi.primeHandleToFd(process, display.fd, other.handle);
    const [reader, explicit] = [yield* ManualFence.make(process), yield* ManualFence.make(process)];
    yield* uapi.importSyncFile(process, buffer, reader.syncFile, 'read');
    const fromNs = kernel.now();
    kernel.at(fromNs + 2 * MS, 'the reader', () => kernel.spawn('the reader', reader.signal()));
    kernel.at(fromNs + 6 * MS, 'the writer', () => kernel.spawn('the writer', explicit.signal()));
    yield* display.atomic(0, ['plane', ID.FB, other.fb], ['plane', ID.IN_FENCE, explicit.syncFile]);
    t.is(kernel.now(), fromNs + 6 * MS);
    const again = yield* ManualFence.make(process);
    yield* uapi.importSyncFile(process, buffer, again.syncFile, 'read');
    yield* display.atomic(0, ['plane', ID.FB, one.fb]);
    yield* display.atomic(0, ['plane', ID.FB, other.fb]);
    t.is(kernel.now(), fromNs + 6 * MS);
    t.deepEqual(kinds(kernel), []);
  });
});

test('a display, flips to a buffer that a camera is writing', (t) => {
  runInProcess(function* (process, kernel) {
    const display = yield* Display.open(process, VIRTIO_GPU);
    const [one, other] = [yield* display.framebuffer(), yield* display.framebuffer()];
    yield* display.turnOn(one.fb);
    const camera = yield* Camera.open(process, ANY_CAMERA);
    yield* camera.stream(true);
    yield* camera.queue(0, yield* uapi.primeHandleToFd(process, display.fd, other.handle));
    yield* display.atomic(0, ['plane', ID.FB, other.fb]);
    const { findings } = kernel.dmaBufRules;
    t.is(findings.length, 1);
    t.like(findings[0], { kind: 'ahead-of-v4l2', who: 'virtio_gpu', details: { access: 'read' } });
  });
});

test('findings of synchronisation, refuse nothing in strict mode either', (t) => {
  runOnProgramMachine(
    function* (process, kernel) {
      const { vgem, buffer, handle } = yield* shared(process);
      yield* uapi.attachVgemFence(process, vgem, handle, 'read');
      const camera = yield* Camera.open(process, ANY_CAMERA);
      yield* camera.stream(true);
      yield* camera.queue(0, buffer);
      yield* uapi.beginCpuAccess(process, buffer, 'read');
      t.deepEqual(kinds(kernel), ['v4l2-ignores-fence', 'ahead-of-v4l2']);
    },
    { rules: { mode: 'strict' } },
  );
});
