import type { Task } from '@dmabuf-lab/core/base';
import { defineDriver, input, output } from '@dmabuf-lab/core/driver';
import { builtInDrivers } from '@dmabuf-lab/drivers';
import {
  addRenderNode,
  attachVgemFence,
  type DmaBufFile,
  openDrm,
  Process,
  primeFdToHandle,
  readSyncFile,
  signalVgemFence,
  submitRender,
  waitRender,
  waitSyncFile,
} from '@dmabuf-lab/uapi';
import test from 'ava';
import { addGpu, GPU, later, MS, onMachine, refusal } from './drm-machine.js';
import { heapPicture, numbered, nv12Source, rgbaBuffer, rgbaTarget, testPattern } from './pictures.js';

/** The memory of a buffer, as something sees it that is neither a process nor a device. */
const pagesOf = (process: Process, fd: number): readonly Uint8Array[] =>
  (process.fds.file(fd, 'test') as DmaBufFile).exporter.vmap?.() ?? [];

const VGEM = '/dev/dri/card0';
const EIO = -5;
const ESRCH = -3;
const ECANCELED = -125;

/** A filter of a user: it fails or drops every other picture, and ends after four. */
const moody = defineDriver({
  name: 'moody',
  parameters: builtInDrivers.gpu.driver.parameters,
  ports: { pictures: input(), results: output() },
  plan: (_parameters, { pictures }) => ({ outputs: { results: pictures }, problems: [] }),
  *run(ctx): Task<void> {
    const { pictures, results } = ctx.ports;
    if (pictures === undefined || results === undefined) return;
    const lane = ctx.lane();
    for (let i = 0; i < 4; i += 1) {
      const target = yield* results.acquire(lane); // before the take: the other half of the job follows
      const source = yield* pictures.take();
      if (source === undefined) return;
      if (i === 2) {
        results.cancel(target);
        pictures.drop(source);
        continue;
      }
      const job = yield* ctx.begin(lane, [
        { frame: source, write: false },
        { frame: target, write: true },
      ]);
      yield* ctx.sleepUntil(ctx.now() + MS);
      job.end(i === 1 ? 'EIO' : undefined);
      pictures.release(source, job);
      yield* results.push(target);
    }
  },
});

test('a driver of a user, fails, drops and ends: fences carry EIO and ECANCELED, and then there is no device', (t) => {
  onMachine(function* ({ process, host }) {
    const options = { name: 'moody', driver: moody, parameters: {}, path: GPU };
    const device = addRenderNode(host, options as unknown as Parameters<typeof addRenderNode>[1]);
    const gpu = openDrm(process, GPU);
    const pattern = testPattern(1);
    const source = yield* heapPicture(process, gpu, pattern);
    const target = yield* heapPicture(process, gpu, pattern);
    const job = { source: nv12Source(source.handle), target: { handle: target.handle, strideBytes: 320 } };
    for (let i = 0; i < 6; i += 1) yield* submitRender(process, gpu, job);
    const statuses: number[] = [];
    for (let i = 1; i <= 6; i += 1) statuses.push(yield* waitRender(process, gpu, i));
    t.deepEqual(statuses, [1, EIO, ECANCELED, 1, ECANCELED, ECANCELED]);
    t.is(yield* refusal(submitRender(process, gpu, job)), 'ENODEV');
    t.like(device.statistics, { framesIn: 4, framesOut: 3 });
  });
});

test('addRenderNode, of a driver without an input, is refused before there is a node', (t) => {
  onMachine(function* ({ process, kernel, host }) {
    const { ports: _, ...rest } = moody;
    const driver = { ...rest, ports: { results: output() } };
    const options = { name: 'source', driver, parameters: {}, path: GPU };
    t.like(
      t.throws(() => addRenderNode(host, options as unknown as Parameters<typeof addRenderNode>[1])),
      { code: 'EINVAL' },
    );
    t.false(kernel.paths.includes(GPU));
    t.like(
      t.throws(() => openDrm(process, GPU)),
      { code: 'ENOENT' },
    );
    yield* [];
  });
});

test('a job that reads what a failed one wrote, fails too; the next one with good content does not', (t) => {
  onMachine(function* ({ process, kernel, host }) {
    const device = addGpu(host, { mode: 'in-place', service: '1ms' });
    const gpu = openDrm(process, GPU);
    const pattern = testPattern(1);
    const source = yield* heapPicture(process, gpu, pattern);
    const good = yield* heapPicture(process, gpu, pattern);
    const failing = yield* failedFence(process, host, kernel.now() + 3 * MS);
    const job = { source: nv12Source(source.handle), outFence: true };
    const bad = yield* submitRender(process, gpu, { ...job, inFence: failing });
    const follower = yield* submitRender(process, gpu, job);
    const other = yield* submitRender(process, gpu, { source: nv12Source(good.handle) });
    t.is(yield* waitRender(process, gpu, bad.number), EIO);
    t.is(yield* waitRender(process, gpu, follower.number), EIO);
    t.is(yield* waitRender(process, gpu, other.number), 1);
    t.is((yield* readSyncFile(process, follower.outFence as number)).status, EIO);
    t.is(device.statistics.counters.get('failedFrames'), 2);
    t.false(device.statistics.counters.has('checksFailed'));
  });
});

/** A sync file that fails: of a job of another GPU, whose picture is not what its device wrote. */
function* failedFence(process: Process, host: Parameters<typeof addGpu>[0], atNs: number): Task<number> {
  const path = '/dev/dri/renderD131';
  addGpu(host, { mode: 'in-place', service: '1ms' }, path);
  addGpu(host, { service: { fixed: `${atNs}ns` } }, '/dev/dri/renderD132');
  const gpu = openDrm(process, path);
  const reader = openDrm(process, '/dev/dri/renderD132');
  const source = yield* heapPicture(process, gpu, testPattern(2));
  const { number } = yield* submitRender(process, gpu, { source: nv12Source(source.handle) });
  yield* waitRender(process, gpu, number);
  pagesOf(process, source.fd)[0].fill(0); // tears the picture that the device has sealed
  const handle = yield* primeFdToHandle(process, reader, source.fd);
  const target = yield* rgbaBuffer(process, reader);
  const torn = { source: nv12Source(handle), target: rgbaTarget(target), outFence: true };
  return (yield* submitRender(process, reader, torn)).outFence as number;
}

test('a process that is killed, leaves jobs that have not begun undone: -ESRCH, after what they wait for', (t) => {
  onMachine(function* ({ process, kernel, host }) {
    const device = addGpu(host, { service: '4ms' });
    const victim = new Process(kernel);
    const vgem = openDrm(process, VGEM);
    const gpu = openDrm(victim, GPU);
    const source = yield* heapPicture(victim, gpu, testPattern(1));
    const target = yield* rgbaBuffer(victim, gpu);
    const job = { source: nv12Source(source.handle), target: rgbaTarget(target), outFence: true };
    const begun = yield* submitRender(victim, gpu, job);
    const held = yield* heapPicture(victim, gpu, testPattern(2));
    const imported = yield* primeFdToHandle(process, vgem, victim.pass(held.fd, process));
    const writing = yield* attachVgemFence(process, vgem, imported, 'write');
    const waiting = yield* submitRender(victim, gpu, { ...job, source: nv12Source(held.handle) });
    const fences = [begun, waiting].map(({ outFence }) => victim.pass(outFence as number, process));
    victim.killedAtNs = kernel.now();
    victim.exit();
    t.true(yield* waitSyncFile(process, fences[0], -1));
    t.like(yield* readSyncFile(process, fences[0]), { status: 1 });
    t.is(kernel.now(), 4 * MS, 'what had begun is done');
    t.false(yield* waitSyncFile(process, fences[1], 5));
    yield* signalVgemFence(process, vgem, writing);
    t.like(yield* readSyncFile(process, fences[1]), { status: ESRCH });
    t.is(device.statistics.framesIn, 1);
  });
});

test('closing the file, leaves the jobs of a living process to be done, with their buffers', (t) => {
  onMachine(function* ({ process, kernel, host }) {
    addGpu(host, { service: '4ms' });
    const vgem = openDrm(process, VGEM);
    const gpu = openDrm(process, GPU);
    const source = yield* heapPicture(process, gpu, testPattern(1));
    const imported = yield* primeFdToHandle(process, vgem, source.fd);
    const writing = yield* attachVgemFence(process, vgem, imported, 'write');
    const target = yield* rgbaBuffer(process, gpu);
    const job = { source: nv12Source(source.handle), target: rgbaTarget(target), outFence: true };
    const { outFence } = yield* submitRender(process, gpu, job);
    const { references } = process.fds.file(source.fd, 'test');
    process.close(gpu);
    t.is(
      process.fds.file(source.fd, 'test').references,
      references - 2,
      'handle and PRIME table are gone, the job is not',
    );
    later(kernel, 2 * MS, () => signalVgemFence(process, vgem, writing));
    t.true(yield* waitSyncFile(process, outFence as number, -1));
    t.like(yield* readSyncFile(process, outFence as number), { status: 1 });
    t.is(kernel.now(), 6 * MS);
    t.is(process.fds.file(source.fd, 'test').references, references - 3, 'the import went with the job');
  });
});

test('stop, lets jobs be done that can be, gives the others a second, and ends the driver', (t) => {
  onMachine(function* ({ process, kernel, host }) {
    const device = addGpu(host, { service: '4ms' });
    const vgem = openDrm(process, VGEM);
    const gpu = openDrm(process, GPU);
    const good = yield* heapPicture(process, gpu, testPattern(1));
    const held = yield* heapPicture(process, gpu, testPattern(2));
    const target = yield* rgbaBuffer(process, gpu);
    const other = yield* rgbaBuffer(process, gpu);
    const imported = yield* primeFdToHandle(process, vgem, held.fd);
    yield* attachVgemFence(process, vgem, imported, 'write');
    const job = yield* submitRender(process, gpu, { source: nv12Source(good.handle), target: rgbaTarget(target) });
    const stuck = yield* submitRender(process, gpu, { source: nv12Source(held.handle), target: rgbaTarget(other) });
    t.true(device.isRunning);
    device.stop?.();
    t.is(yield* waitRender(process, gpu, job.number), 1);
    t.is(yield* waitRender(process, gpu, stuck.number), ESRCH);
    t.is(kernel.now(), 1000 * MS);
    t.false(device.isRunning);
    const again = { source: nv12Source(good.handle), target: rgbaTarget(target) };
    t.is(yield* refusal(submitRender(process, gpu, again)), 'ENODEV');
  });
});

test('a picture that a device has drawn and the processor then draws into, is good, and keeps its number', (t) => {
  onMachine(function* ({ process, host }) {
    const device = addGpu(host, { mode: 'in-place' });
    const gpu = openDrm(process, GPU);
    const source = yield* heapPicture(process, gpu, testPattern(1));
    const job = { source: nv12Source(source.handle) };
    yield* waitRender(process, gpu, (yield* submitRender(process, gpu, job)).number);
    const other = testPattern(2);
    process.memory.write(source.address, other);
    t.is(yield* waitRender(process, gpu, (yield* submitRender(process, gpu, job)).number), 1);
    t.deepEqual(process.memory.read(source.address, other.length), numbered(other, 1));
    t.is(yield* waitRender(process, gpu, (yield* submitRender(process, gpu, job)).number), 1);
    t.is(device.statistics.counters.get('unmarked'), 2);
    t.is(device.statistics.counters.get('checksPassed'), 1, 'the device has sealed it anew');
  });
});
