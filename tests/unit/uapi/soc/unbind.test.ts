/** Devices that are unbound while programs are blocked in calls on them: row 9 of docs/reliability.md. */
import type { Task } from '@dmabuf-lab/core/base';
import { builtInDrivers } from '@dmabuf-lab/drivers';
import {
  addCaptureNode,
  addDisplayNode,
  addEncoderNode,
  addFramebuffer,
  addRenderNode,
  attachVgemFence,
  createDumbBuffer,
  createRenderBuffer,
  createSyncObject,
  dequeueVideoBuffer,
  exportSyncFile,
  exportVideoBuffer,
  mapDmaBuf,
  O,
  openDisplay,
  openDrm,
  openVideo,
  type PageAllocator,
  POLL,
  type Process,
  primeFdToHandle,
  primeHandleToFd,
  queueVideoBuffer,
  readFlip,
  readSyncFile,
  requestBuffers,
  type SocDevice,
  type SocHost,
  setVideoFormat,
  showFramebuffer,
  startStreaming,
  submitRender,
  turnOnDisplay,
  VIDIOC_QUERYCAP,
  waitRender,
  waitSyncObjects,
} from '@dmabuf-lab/uapi';
import test from 'ava';
import { CARD, GPU, later, type Machine, MS, onMachine, refusal } from './drm-machine.js';
import { HEIGHT, heapPicture, nv12Source, RGBA_STRIDE, rgbaTarget, testPattern, WIDTH } from './pictures.js';

const CAMERA = '/dev/video10';
const ENCODER = '/dev/video11';
const VGEM = '/dev/dri/card0';

/** Pages of a device, with a count of those that are out. */
class CountedPages implements PageAllocator {
  out = 0;

  constructor(private readonly pages: PageAllocator) {}

  allocate(count: number): ReturnType<PageAllocator['allocate']> {
    const run = this.pages.allocate(count);
    this.out += count;
    const free = (): void => {
      this.out -= count;
      run.free();
    };
    return { pages: run.pages, free };
  }
}

interface Bench extends Machine {
  readonly pages: CountedPages;
  add(): SocDevice;
}

/** Runs a program with one device, which is unbound and bound again. */
function onBench(add: (host: SocHost, pages: PageAllocator) => SocDevice, program: (bench: Bench) => Task<void>): void {
  onMachine(function* (machine): Task<void> {
    const pages = new CountedPages(machine.kernel.pages);
    yield* program({ ...machine, pages, add: () => add(machine.host, pages) });
  }, 'stamp');
}

const optionsOf = (kind: keyof typeof builtInDrivers, parameters: object, pages: PageAllocator, path: string) => {
  const { driver } = builtInDrivers[kind];
  return {
    name: kind,
    path,
    driver,
    parameters: driver.parameters.parse(parameters),
    pages,
  };
};
const camera = (host: SocHost, pages: PageAllocator): SocDevice =>
  addCaptureNode(host, optionsOf('camera', { width: 160, height: 96, rate: 50 }, pages, CAMERA));
const encoder = (host: SocHost, pages: PageAllocator): SocDevice =>
  addEncoderNode(host, optionsOf('encoder', { service: '5ms' }, pages, ENCODER));
const gpu = (host: SocHost, pages: PageAllocator): SocDevice =>
  addRenderNode(host, optionsOf('gpu', { service: '5ms' }, pages, GPU));
const display = (host: SocHost, pages: PageAllocator): SocDevice =>
  addDisplayNode(host, { ...optionsOf('display', {}, pages, CARD), widthPixels: WIDTH, heightPixels: HEIGHT });

/** What a blocked call ended with, and when, once it has. */
function blocked(kernel: Machine['kernel'], call: Task<unknown>): { ended?: string } {
  const seen: { ended?: string } = {};
  kernel.spawn('a blocked caller', wait());
  function* wait(): Task<void> {
    const errno = yield* refusal(call);
    seen.ended = `${errno} at ${kernel.now() / MS} ms`;
    kernel.changed();
  }
  return seen;
}

function* openQueue(process: Process, path: string, direction: 'capture' | 'output' = 'capture') {
  const found = (yield* openVideo(process, path))[direction];
  if (found === undefined) throw new Error('the node has no such queue');
  return found;
}

function* streaming(process: Process, path: string, count: number) {
  const queue = yield* openQueue(process, path);
  yield* requestBuffers(process, queue, 'mmap', count);
  for (let index = 0; index < count; index += 1) yield* queueVideoBuffer(process, queue, { index, memory: 'mmap' });
  yield* startStreaming(process, queue);
  return queue;
}

function* until(kernel: Machine['kernel'], ns: number): Task<void> {
  yield* kernel.wait(() => undefined, ns, 'a test');
}

test('a camera, unbound under DQBUF and poll: ENODEV and ERR|HUP at that time, and at each later call', (t) => {
  onBench(camera, function* ({ process, kernel, pages, add }) {
    const device = add();
    const queue = yield* streaming(process, CAMERA, 2);
    const buffer = yield* exportVideoBuffer(process, queue, 0);
    const first = yield* dequeueVideoBuffer(process, queue, 'mmap');
    t.is(first.index, 0);
    yield* dequeueVideoBuffer(process, queue, 'mmap');
    const dequeue = blocked(kernel, dequeueVideoBuffer(process, queue, 'mmap'));
    const other = new (process.constructor as typeof Process)(kernel);
    const shared = process.pass(queue.fd, other);
    let events = 0;
    kernel.spawn('a poll', poll());
    function* poll(): Task<void> {
      [events] = yield* other.poll([{ fd: shared, events: POLL.IN | POLL.PRI }], -1);
    }
    const picture = process.memory.read(mapDmaBuf(process, buffer), 160 * 96);
    later(kernel, 100 * MS, function* () {
      device.unbind();
    });
    yield* until(kernel, 101 * MS);
    t.is(dequeue.ended, 'ENODEV at 100 ms');
    t.is(events, POLL.ERR | POLL.HUP | POLL.PRI);
    t.is(device.isRunning, false, 'its driver has been told');
    t.is(yield* refusal(dequeueVideoBuffer(process, queue, 'mmap')), 'ENODEV');
    t.is(yield* refusal(process.command(queue.fd, VIDIOC_QUERYCAP, {})), 'ENODEV');
    t.throws(() => process.reopen(queue.fd, O.RDWR), { code: 'ENODEV' } as never);
    t.throws(() => process.open(CAMERA, O.RDWR), { code: 'ENOENT' } as never);
    t.throws(() => device.unbind(), { code: 'ENODEV' } as never);
    other.exit();
    process.close(queue.fd);
    t.deepEqual(process.memory.read(mapDmaBuf(process, buffer), 160 * 96), picture, 'what was exported stays');
    t.true(pages.out > 0);
    const again = add();
    const anew = yield* streaming(process, CAMERA, 2);
    t.true((yield* dequeueVideoBuffer(process, anew, 'mmap')).usedBytes[0] > 0, 'the new node works');
    again.unbind();
    process.exit();
    t.is(pages.out, 0, 'nothing is left');
  });
});

test('an encoder, unbound under DQBUF of either side: ENODEV, of all its open files, and a new node works', (t) => {
  onBench(encoder, function* ({ process, kernel, pages, add }) {
    const device = add();
    const waits = [];
    for (let file = 0; file < 2; file += 1) {
      const { output, capture } = yield* openVideo(process, ENCODER);
      if (output === undefined || capture === undefined) throw new Error('the node goes one way only');
      yield* setVideoFormat(process, output, { fourcc: 'NV12', widthPixels: 160, heightPixels: 96 });
      for (const queue of [output, capture]) {
        yield* requestBuffers(process, queue, 'mmap', 2);
        yield* startStreaming(process, queue);
      }
      waits.push(blocked(kernel, dequeueVideoBuffer(process, file === 0 ? capture : output, 'mmap')));
    }
    t.true(pages.out > 0);
    later(kernel, 30 * MS, function* () {
      device.unbind();
    });
    yield* until(kernel, 40 * MS);
    t.deepEqual(
      waits.map(({ ended }) => ended),
      ['ENODEV at 30 ms', 'ENODEV at 30 ms'],
    );
    t.is(device.isRunning, false);
    t.is(pages.out, 0, 'its buffers went with it');
    add();
    const { output } = yield* openVideo(process, ENCODER);
    t.truthy(output);
    process.exit();
    t.is(pages.out, 0);
  });
});

test('a GPU, unbound under waits for jobs and sync objects: ENODEV; queued jobs end with ECANCELED, the running one well', (t) => {
  onBench(gpu, function* ({ process, kernel, pages, add }) {
    const device = add();
    const fd = openDrm(process, GPU);
    const source = yield* heapPicture(process, fd, testPattern(1));
    const target = yield* createRenderBuffer(process, fd, RGBA_STRIDE * HEIGHT);
    const job = { source: nv12Source(source.handle), target: rgbaTarget(target) };
    yield* submitRender(process, fd, job);
    const queued = yield* submitRender(process, fd, job);
    const shared = yield* primeHandleToFd(process, fd, target.handle);
    const fence = yield* exportSyncFile(process, shared, 'read');
    const lonely = yield* createSyncObject(process, fd);
    const waits = [
      blocked(kernel, waitRender(process, fd, queued.number)),
      blocked(kernel, waitSyncObjects(process, fd, [{ handle: lonely, point: 1n } as never], { forSubmit: true })),
    ];
    later(kernel, 3 * MS, function* () {
      device.unbind();
    });
    yield* until(kernel, 4 * MS);
    t.deepEqual(
      waits.map(({ ended }) => ended),
      ['ENODEV at 3 ms', 'ENODEV at 3 ms'],
    );
    t.is(yield* refusal(createSyncObject(process, fd)), 'ENODEV');
    t.deepEqual(yield* process.poll([{ fd, events: POLL.IN }], 0), [POLL.ERR | POLL.HUP]);
    yield* until(kernel, 20 * MS);
    t.like(device.statistics, { framesIn: 1 }, 'one job was done');
    t.like(yield* readSyncFile(process, fence), { status: -125 }, 'whoever else waits for the others is told');
    process.close(fd);
    t.notThrows(() => process.memory.read(mapDmaBuf(process, shared), 4096));
    add();
    const anew = openDrm(process, GPU);
    t.true((yield* primeFdToHandle(process, anew, shared)) > 0);
    process.exit();
    yield* until(kernel, 30 * MS);
    t.is(pages.out, 0);
  });
});

test('a display, unbound under an atomic commit that waits for a fence, and under a read of events: ENODEV', (t) => {
  onBench(display, function* ({ process, kernel, pages, add }) {
    const device = add();
    const screen = yield* openDisplay(process, CARD);
    const framebuffers: number[] = [];
    const buffers: number[] = [];
    for (let i = 0; i < 2; i += 1) {
      const dumb = yield* createDumbBuffer(process, screen.fd, WIDTH, HEIGHT);
      const layout = { handle: dumb.handle, widthPixels: WIDTH, heightPixels: HEIGHT, strideBytes: dumb.pitchBytes };
      framebuffers.push(yield* addFramebuffer(process, screen, layout));
      buffers.push(yield* primeHandleToFd(process, screen.fd, dumb.handle));
    }
    yield* turnOnDisplay(process, screen, framebuffers[0]);
    const startNs = kernel.now();
    const vgem = openDrm(process, VGEM);
    yield* attachVgemFence(process, vgem, yield* primeFdToHandle(process, vgem, buffers[1]), 'write');
    const waits = [
      blocked(kernel, showFramebuffer(process, screen, framebuffers[1], { wait: true })),
      blocked(kernel, readFlip(process, screen)),
    ];
    const atMs = Math.ceil(startNs / MS) + 20;
    later(kernel, atMs * MS, function* () {
      device.unbind();
    });
    yield* until(kernel, (atMs + 1) * MS);
    t.deepEqual(
      waits.map(({ ended }) => ended),
      [`ENODEV at ${atMs} ms`, `ENODEV at ${atMs} ms`],
    );
    t.is(yield* refusal(showFramebuffer(process, screen, framebuffers[0])), 'ENODEV');
    t.deepEqual(yield* process.poll([{ fd: screen.fd, events: POLL.IN }], 0), [POLL.ERR | POLL.HUP]);
    yield* until(kernel, (atMs + 50) * MS);
    t.is(device.isRunning, false, 'its driver has ended at a vblank');
    process.close(screen.fd);
    t.notThrows(() => process.memory.read(mapDmaBuf(process, buffers[0]), 4096));
    add();
    const anew = yield* openDisplay(process, CARD);
    const dumb = yield* createDumbBuffer(process, anew.fd, WIDTH, HEIGHT);
    const layout = { handle: dumb.handle, widthPixels: WIDTH, heightPixels: HEIGHT, strideBytes: dumb.pitchBytes };
    yield* turnOnDisplay(process, anew, yield* addFramebuffer(process, anew, layout));
    process.exit();
    yield* until(kernel, kernel.now() + 100 * MS);
    t.is(pages.out, 0, 'nothing is left');
  });
});

test('a display, unbound under a commit that waits for its vblank: the commit ends with ENODEV', (t) => {
  onBench(display, function* ({ process, kernel, add }) {
    const device = add();
    const screen = yield* openDisplay(process, CARD);
    const dumb = yield* createDumbBuffer(process, screen.fd, WIDTH, HEIGHT);
    const layout = { handle: dumb.handle, widthPixels: WIDTH, heightPixels: HEIGHT, strideBytes: dumb.pitchBytes };
    const framebuffer = yield* addFramebuffer(process, screen, layout);
    yield* turnOnDisplay(process, screen, framebuffer);
    const startNs = kernel.now();
    const flip = blocked(kernel, showFramebuffer(process, screen, framebuffer, { wait: true }));
    later(kernel, startNs + 2 * MS, function* () {
      device.unbind();
    });
    yield* until(kernel, startNs + 40 * MS);
    t.regex(flip.ended ?? 'it still waits', /^ENODEV at /);
  });
});
