import {
  closeGemHandle,
  createSyncObject,
  exportSyncFile,
  openDrm,
  Process,
  type RenderJobRequest,
  readSyncFile,
  submitRender,
  waitRender,
} from '@dmabuf-lab/uapi';
import * as abi from '@dmabuf-lab/uapi/abi';
import test from 'ava';
import { addGpu, GPU, onMachine, refusal } from './drm-machine.js';
import { HEIGHT, heapPicture, NV12_BYTES, nv12Source, rgbaBuffer, rgbaTarget, testPattern, WIDTH } from './pictures.js';

/** What is wrong with a job, beside its errno. */
type Fault = (good: RenderJobRequest, heapFd: number) => Partial<RenderJobRequest>;

const REFUSED: readonly (readonly [what: string, errno: string, fault: Fault])[] = [
  ['a source handle that is none', 'ENOENT', ({ source }) => ({ source: { ...source, handle: 99 } })],
  ['a target handle that is none', 'ENOENT', () => ({ target: { handle: 99, strideBytes: WIDTH * 4 } })],
  ['no target', 'ENOENT', () => ({ target: undefined })],
  [
    'source and target in one buffer',
    'EINVAL',
    ({ source }) => ({
      source: { ...source, widthPixels: 32, heightPixels: 32, strideBytes: 32 },
      target: { handle: source.handle, strideBytes: 128 },
    }),
  ],
  ['a format that the driver does not take', 'EINVAL', ({ source }) => ({ source: { ...source, format: 'AB24' } })],
  ['no size', 'EINVAL', ({ source }) => ({ source: { ...source, widthPixels: 0 } })],
  ['an odd height', 'EINVAL', ({ source }) => ({ source: { ...source, heightPixels: HEIGHT - 1 } })],
  ['rows that are too short', 'EINVAL', ({ source }) => ({ source: { ...source, strideBytes: WIDTH - 2 } })],
  [
    'a source that ends behind its buffer',
    'EINVAL',
    ({ source }) => ({ source: { ...source, heightPixels: HEIGHT + 48 } }),
  ],
  ['a source that begins within a page', 'EINVAL', ({ source }) => ({ source: { ...source, offsetBytes: 64 } })],
  [
    'chroma that overlaps luma',
    'EINVAL',
    ({ source }) => ({ source: { ...source, chromaOffsetBytes: WIDTH * (HEIGHT - 2) } }),
  ],
  [
    'chroma that does not begin with a row',
    'EINVAL',
    ({ source }) => ({ source: { ...source, chromaOffsetBytes: NV12_BYTES / 1.5 + 64 } }),
  ],
  [
    'target rows that are too short',
    'EINVAL',
    ({ target }) => ({ target: { handle: target?.handle ?? 0, strideBytes: WIDTH * 4 - 4 } }),
  ],
  [
    'a target that ends behind its buffer',
    'EINVAL',
    ({ target }) => ({ target: { handle: target?.handle ?? 0, strideBytes: WIDTH * 4 + 64 } }),
  ],
  ['an in-fence that is a dma-buf', 'EINVAL', (_, heapFd) => ({ inFence: heapFd })],
  ['an in-fence that is no descriptor', 'EINVAL', () => ({ inFence: 77 })],
  ['a sync object to wait for that is none', 'ENOENT', () => ({ waitFor: { handle: 9 } })],
  ['a sync object to signal that is none', 'ENOENT', () => ({ signal: { handle: 9, point: 1n } })],
  ['a sync object without a fence', 'EINVAL', () => ({ waitFor: { handle: 1, point: 3n } })],
  ['a point of no sync object', 'EINVAL', () => ({ waitFor: { handle: 0, point: 3n } })],
];

for (const [what, errno, fault] of REFUSED) {
  test(`submitRender, with ${what}, is ${errno}, and leaves no fence and no job behind`, (t) => {
    onMachine(function* ({ process, host }) {
      const device = addGpu(host);
      const gpu = openDrm(process, GPU);
      yield* createSyncObject(process, gpu);
      const source = yield* heapPicture(process, gpu, testPattern(1));
      const target = yield* rgbaBuffer(process, gpu);
      const good: RenderJobRequest = { source: nv12Source(source.handle), target: rgbaTarget(target), outFence: true };
      const descriptors = process.fds.numbers;
      t.is(yield* refusal(submitRender(process, gpu, { ...good, ...fault(good, source.fd) })), errno);
      t.deepEqual(process.fds.numbers, descriptors);
      t.is(yield* refusal(waitRender(process, gpu, 1)), 'EINVAL', 'no job has a number');
      const idle = yield* exportSyncFile(process, source.fd, 'write');
      t.is((yield* readSyncFile(process, idle)).status, 1, 'nobody uses the source');
      process.close(idle);
      t.is(device.statistics.framesIn, 0);
      const { number } = yield* submitRender(process, gpu, good);
      t.is(yield* waitRender(process, gpu, number), 1);
      t.is(number, 1);
    });
  });
}

test('DRM_IOCTL_LAB_SUBMIT, with unknown flags or a pad, is EINVAL', (t) => {
  onMachine(function* ({ process, host }) {
    addGpu(host);
    const gpu = openDrm(process, GPU);
    t.is(yield* refusal(process.command(gpu, abi.DRM_IOCTL_LAB_SUBMIT, { flags: 8 })), 'EINVAL');
    t.is(yield* refusal(process.command(gpu, abi.DRM_IOCTL_LAB_SUBMIT, { pad: 1 })), 'EINVAL');
  });
});

test('submitRender, without a descriptor left for the out-fence, is EMFILE, and the next job has the same number', (t) => {
  onMachine(function* ({ kernel, host }) {
    addGpu(host);
    const process = new Process(kernel, { openFiles: 4 });
    const gpu = openDrm(process, GPU);
    const source = yield* heapPicture(process, gpu, testPattern(1));
    const target = yield* rgbaBuffer(process, gpu);
    const job = { source: nv12Source(source.handle), target: rgbaTarget(target) };
    process.dup(gpu);
    t.is(yield* refusal(submitRender(process, gpu, { ...job, outFence: true })), 'EMFILE');
    t.is((yield* submitRender(process, gpu, job)).number, 1);
    process.exit();
  });
});

test('objects of a render node, of no bytes or with flags, are EINVAL; dumb buffers are EACCES', (t) => {
  onMachine(function* ({ process, host }) {
    addGpu(host);
    const gpu = openDrm(process, GPU);
    t.is(yield* refusal(process.command(gpu, abi.DRM_IOCTL_LAB_CREATE_BO, { size: 0 })), 'EINVAL');
    t.is(yield* refusal(process.command(gpu, abi.DRM_IOCTL_LAB_CREATE_BO, { size: 1, flags: 1 })), 'EINVAL');
    t.is(yield* refusal(process.command(gpu, abi.DRM_IOCTL_LAB_MMAP_BO, { handle: 5 })), 'ENOENT');
    t.is(yield* refusal(process.command(gpu, abi.DRM_IOCTL_LAB_MMAP_BO, { handle: 5, flags: 1 })), 'EINVAL');
    const dumb = { width: 8, height: 8, bpp: 32 };
    t.is(yield* refusal(process.command(gpu, abi.DRM_IOCTL_MODE_CREATE_DUMB, dumb)), 'EACCES');
    const { handle } = yield* rgbaBuffer(process, gpu);
    yield* closeGemHandle(process, gpu, handle);
    t.is(yield* refusal(closeGemHandle(process, gpu, handle)), 'EINVAL');
  });
});

test('waitRender, of a job that is not done, is ETIMEDOUT in time, EBUSY when it may not wait', (t) => {
  onMachine(function* ({ process, kernel, host }) {
    addGpu(host, { service: '4ms' });
    const gpu = openDrm(process, GPU);
    const source = yield* heapPicture(process, gpu, testPattern(1));
    const target = yield* rgbaBuffer(process, gpu);
    const job = { source: nv12Source(source.handle), target: rgbaTarget(target) };
    const { number } = yield* submitRender(process, gpu, job);
    const { NONBLOCK } = abi.LAB_WAIT;
    const wait = { fence: number, flags: NONBLOCK };
    t.is(yield* refusal(process.command(gpu, abi.DRM_IOCTL_LAB_WAIT_FENCE, wait)), 'EBUSY');
    t.is(yield* refusal(process.command(gpu, abi.DRM_IOCTL_LAB_WAIT_FENCE, { fence: number, flags: 2 })), 'EINVAL');
    t.is(yield* refusal(waitRender(process, gpu, number, 1_000_000)), 'ETIMEDOUT');
    t.is(kernel.now(), 1_000_000);
    t.is(yield* refusal(waitRender(process, gpu, number + 1)), 'EINVAL');
    t.is(yield* waitRender(process, gpu, number), 1);
    t.is((yield* process.command(gpu, abi.DRM_IOCTL_LAB_WAIT_FENCE, wait)).status, 1);
  });
});
