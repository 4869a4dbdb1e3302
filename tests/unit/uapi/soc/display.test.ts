import { sleepUntil, type Task, tickTime } from '@dmabuf-lab/core/base';
import { crc32OfSegments } from '@dmabuf-lab/drivers/pixels';
import {
  addFramebuffer,
  attachVgemFence,
  closeGemHandle,
  createDumbBuffer,
  displayMode,
  exportSyncFile,
  mapDumbBuffer,
  type OpenDisplay,
  openDisplay,
  openDrm,
  type Process,
  primeFdToHandle,
  primeHandleToFd,
  readFlip,
  readSyncFile,
  removeFramebuffer,
  type SocDevice,
  showFramebuffer,
  signalVgemFence,
  turnOffDisplay,
  turnOnDisplay,
  waitSyncFile,
} from '@dmabuf-lab/uapi';
import * as abi from '@dmabuf-lab/uapi/abi';
import test from 'ava';
import { addDisplay, CARD, later, MS, onMachine, refusal } from './drm-machine.js';
import { HEIGHT, RGBA_BYTES, RGBA_STRIDE, WIDTH } from './pictures.js';

const VGEM = '/dev/dri/card0';
const VBLANK = (n: number): number => tickTime(n, { num: 60, den: 1 });
const US = (ns: number): number => Math.floor(ns / 1000) * 1000;

interface Screen {
  readonly handle: number;
  readonly framebuffer: number;
  readonly crc: string;
}

/** A dumb buffer of one colour, and its framebuffer. */
function* screenOf(process: Process, display: OpenDisplay, colour: number): Task<Screen> {
  const dumb = yield* createDumbBuffer(process, display.fd, WIDTH, HEIGHT);
  process.memory.fill(yield* mapDumbBuffer(process, display.fd, dumb), RGBA_BYTES, colour);
  const { handle, pitchBytes: strideBytes } = dumb;
  const layout = { handle, widthPixels: WIDTH, heightPixels: HEIGHT, strideBytes };
  const framebuffer = yield* addFramebuffer(process, display, layout);
  const crc = crc32OfSegments([new Uint8Array(RGBA_BYTES).fill(colour)])
    .toString(16)
    .padStart(8, '0');
  return { handle, framebuffer, crc };
}

const counter = ({ statistics }: SocDevice, name: string): number => statistics.counters.get(name) ?? 0;

/** Sequence numbers and checksums, as the driver left them. */
function crcsOf({ statistics }: SocDevice): string[] {
  const text = statistics.artefacts.filter(({ name }) => name === 'crc.txt');
  return text.length === 0 ? [] : new TextDecoder().decode(text[0].bytes).trim().split('\n');
}

test('showFramebuffer, with an event, flips at the next vblank of 60 Hz, and tells its time and number', (t) => {
  onMachine(function* ({ process, kernel, host }) {
    const device = addDisplay(host);
    const display = yield* openDisplay(process, CARD);
    t.like(display.modes, [{ hdisplay: WIDTH, vdisplay: HEIGHT, vrefresh: 60 }]);
    const screens = [yield* screenOf(process, display, 10), yield* screenOf(process, display, 20)];
    yield* sleepUntil(5 * MS, 'a while');
    yield* turnOnDisplay(process, display, screens[0].framebuffer);
    t.is(kernel.now(), VBLANK(1), 'turning on returns when it is on');
    for (let n = 2; n <= 4; n += 1) {
      yield* showFramebuffer(process, display, screens[(n + 1) % 2].framebuffer, { event: BigInt(n) });
      t.is(kernel.now(), VBLANK(n - 1), 'a flip does not block');
      t.deepEqual(yield* readFlip(process, display), {
        timeNs: US(VBLANK(n)),
        sequence: n,
        userData: BigInt(n),
      });
      t.is(kernel.now(), VBLANK(n));
    }
    yield* sleepUntil(VBLANK(10) + MS, 'a while');
    yield* showFramebuffer(process, display, screens[0].framebuffer, { event: 0n });
    t.like(yield* readFlip(process, display), { timeNs: US(VBLANK(11)), sequence: 11 });
    t.is(counter(device, 'shown'), 5);
    t.is(counter(device, 'repeatedVblanks'), 6);
    t.is(counter(device, 'lateVblanks'), 0);
    yield* turnOffDisplay(process, display);
    t.is(kernel.now(), VBLANK(12));
    const crcs = [0, 1, 0, 1, 0].map((i, n) => `${n + 1} ${screens[i].crc}`);
    t.deepEqual(crcsOf(device), crcs);
    t.is(device.statistics.artefacts.filter(({ kind }) => kind === 'picture').length, 3);
  });
});

test('showFramebuffer, of a buffer that is being drawn, is delayed to the first vblank after the fence', (t) => {
  onMachine(function* ({ process, kernel, host }) {
    const device = addDisplay(host);
    const display = yield* openDisplay(process, CARD);
    const [one, other] = [yield* screenOf(process, display, 1), yield* screenOf(process, display, 2)];
    const vgem = openDrm(process, VGEM);
    const fd = yield* primeHandleToFd(process, display.fd, other.handle);
    const imported = yield* primeFdToHandle(process, vgem, fd);
    yield* turnOnDisplay(process, display, one.framebuffer);
    t.is(kernel.now(), 0, 'there is a vblank at 0');
    const writing = yield* attachVgemFence(process, vgem, imported, 'write');
    yield* showFramebuffer(process, display, other.framebuffer, { event: 1n });
    t.is(yield* refusal(showFramebuffer(process, display, one.framebuffer)), 'EBUSY');
    later(kernel, VBLANK(2) + MS, () => signalVgemFence(process, vgem, writing));
    t.like(yield* readFlip(process, display), { timeNs: US(VBLANK(3)), sequence: 4 });
    t.is(counter(device, 'repeatedVblanks'), 2);
    t.is(counter(device, 'lateVblanks'), 2, 'it had been asked for');
  });
});

test('showFramebuffer, with an in-fence, waits for that and not for the buffer; the out-fence signals at the vblank', (t) => {
  onMachine(function* ({ process, kernel, host }) {
    addDisplay(host);
    const display = yield* openDisplay(process, CARD);
    const [one, other] = [yield* screenOf(process, display, 1), yield* screenOf(process, display, 2)];
    const vgem = openDrm(process, VGEM);
    yield* turnOnDisplay(process, display, one.framebuffer);
    const busy = yield* primeHandleToFd(process, display.fd, other.handle);
    yield* attachVgemFence(process, vgem, yield* primeFdToHandle(process, vgem, busy), 'write');
    const dumb = yield* createDumbBuffer(process, vgem, 64, 1);
    const fence = yield* attachVgemFence(process, vgem, dumb.handle, 'write');
    const buffer = yield* primeHandleToFd(process, vgem, dumb.handle);
    const inFence = yield* exportSyncFile(process, buffer, 'write');
    later(kernel, VBLANK(1), () => signalVgemFence(process, vgem, fence));
    const out = (yield* showFramebuffer(process, display, other.framebuffer, { inFence, outFence: true })) as number;
    t.is(kernel.now(), 0);
    t.true(yield* waitSyncFile(process, out, -1));
    t.is(kernel.now(), VBLANK(1), 'signalled at the very vblank counts');
    t.like((yield* readSyncFile(process, out)).fences[0], { driverName: 'display', status: 1, timestampNs: VBLANK(1) });
  });
});

for (const queue of ['fifo', 'mailbox']) {
  test(`a display with queue ${queue}, shows every change, one a vblank: only one may wait`, (t) => {
    onMachine(function* ({ process, kernel, host }) {
      const device = addDisplay(host, { queue, refresh: 50, phase: '1ms' });
      const display = yield* openDisplay(process, CARD);
      t.like(display.modes[0], { vrefresh: 50 });
      const screens = [yield* screenOf(process, display, 1), yield* screenOf(process, display, 2)];
      yield* turnOnDisplay(process, display, screens[0].framebuffer);
      t.is(kernel.now(), MS);
      for (let i = 1; i <= 3; i += 1) {
        yield* showFramebuffer(process, display, screens[i % 2].framebuffer, { wait: true });
        t.is(kernel.now(), (1 + 20 * i) * MS);
      }
      t.is(counter(device, 'shown'), 4);
      t.is(device.statistics.dropped.count, 0);
    });
  });
}

test('a display that is turned off and on, ends its driver and starts it anew; its vblanks are counted on', (t) => {
  onMachine(function* ({ process, kernel, host }) {
    const device = addDisplay(host);
    const display = yield* openDisplay(process, CARD);
    const [one, other] = [yield* screenOf(process, display, 1), yield* screenOf(process, display, 2)];
    yield* turnOnDisplay(process, display, one.framebuffer);
    yield* turnOffDisplay(process, display);
    t.is(kernel.now(), VBLANK(1));
    t.is(yield* refusal(showFramebuffer(process, display, other.framebuffer)), 'EINVAL');
    yield* sleepUntil(VBLANK(100) - MS, 'a while');
    yield* turnOnDisplay(process, display, other.framebuffer);
    t.is(kernel.now(), VBLANK(100));
    yield* showFramebuffer(process, display, one.framebuffer, { event: 0n });
    t.like(yield* readFlip(process, display), { sequence: 4 }, 'two before, two since');
    process.memory.unmapAll(); // mappings hold the file
    process.close(display.fd);
    yield* sleepUntil(VBLANK(103), 'the driver to end');
    t.deepEqual(crcsOf(device), [`1 ${one.crc}`, `2 ${other.crc}`, `3 ${one.crc}`]);
    t.is(counter(device, 'shown'), 3);
  });
});

test('SETCRTC and PAGE_FLIP, show and flip at vblanks too', (t) => {
  onMachine(function* ({ process, kernel, host }) {
    addDisplay(host);
    const display = yield* openDisplay(process, CARD);
    const [one, other] = [yield* screenOf(process, display, 1), yield* screenOf(process, display, 2)];
    const { crtc, connector } = display.ids;
    yield* sleepUntil(MS, 'a while');
    yield* process.command(display.fd, abi.DRM_IOCTL_MODE_SETCRTC, {
      crtc_id: crtc,
      fb_id: one.framebuffer,
      set_connectors_ptr: process.user.put(new Uint8Array(Uint32Array.of(connector).buffer)),
      count_connectors: 1,
      mode_valid: 1,
      mode: display.modes[0],
    });
    t.is(kernel.now(), VBLANK(1));
    const flip = { crtc_id: crtc, fb_id: other.framebuffer, flags: abi.DRM_MODE_PAGE_FLIP.EVENT, user_data: 9n };
    yield* process.command(display.fd, abi.DRM_IOCTL_MODE_PAGE_FLIP, flip);
    t.is(yield* refusal(process.command(display.fd, abi.DRM_IOCTL_MODE_PAGE_FLIP, flip)), 'EBUSY');
    t.deepEqual(yield* readFlip(process, display), { timeNs: US(VBLANK(2)), sequence: 2, userData: 9n });
  });
});

test('a buffer that is shown, is kept until it is replaced, whatever else is given up', (t) => {
  onMachine(function* ({ process, kernel, host }) {
    const device = addDisplay(host);
    const display = yield* openDisplay(process, CARD);
    const vgem = openDrm(process, VGEM);
    const other = yield* screenOf(process, display, 2);
    const dumb = yield* createDumbBuffer(process, vgem, WIDTH, HEIGHT);
    const fd = yield* primeHandleToFd(process, vgem, dumb.handle);
    const file = process.fds.file(fd, 'test');
    const before = file.references;
    const handle = yield* primeFdToHandle(process, display.fd, fd);
    const layout = { handle, widthPixels: WIDTH, heightPixels: HEIGHT, strideBytes: RGBA_STRIDE };
    const framebuffer = yield* addFramebuffer(process, display, layout);
    yield* closeGemHandle(process, display.fd, handle);
    yield* turnOnDisplay(process, display, framebuffer);
    yield* process.command(display.fd, abi.DRM_IOCTL_MODE_CLOSEFB, { fb_id: framebuffer });
    t.true(file.references > before, 'the screen holds it');
    yield* showFramebuffer(process, display, other.framebuffer);
    t.true(file.references > before, 'still, before the vblank');
    yield* sleepUntil(VBLANK(1) + 1, 'the flip');
    t.is(file.references, before);
    t.is(counter(device, 'shown'), 2);
    yield* removeFramebuffer(process, display, other.framebuffer);
    t.is(kernel.now(), VBLANK(2), 'what is removed goes off the screen');
  });
});

test('framebuffers, modes and rectangles that the device cannot show, are refused', (t) => {
  onMachine(function* ({ process, host }) {
    addDisplay(host);
    const display = yield* openDisplay(process, CARD);
    const dumb = yield* createDumbBuffer(process, display.fd, WIDTH, HEIGHT);
    const layout = {
      handle: dumb.handle,
      widthPixels: WIDTH,
      heightPixels: HEIGHT,
      strideBytes: dumb.pitchBytes,
    };
    const refused = (fault: object): Task<string> => refusal(addFramebuffer(process, display, { ...layout, ...fault }));
    t.is(yield* refused({ format: 'XR24' }), 'EINVAL');
    t.is(yield* refused({ format: 'NV12' }), 'EINVAL');
    t.is(yield* refused({ handle: 99 }), 'ENOENT');
    t.is(yield* refused({ offsetBytes: 64 }), 'EINVAL');
    t.is(yield* refused({ heightPixels: HEIGHT + 8 }), 'EINVAL');
    t.is(yield* refused({ strideBytes: 4 * WIDTH - 4 }), 'EINVAL');
    const framebuffer = yield* addFramebuffer(process, display, layout);
    const turnOn = (refresh: number, width = WIDTH): Task<string> =>
      refusal(turnOnDisplay(process, display, framebuffer, displayMode(width, HEIGHT, { num: refresh, den: 1 })));
    t.is(yield* turnOn(50), 'EINVAL');
    t.is(yield* turnOn(60, WIDTH + 8), 'ENOSPC');
    t.is(yield* turnOn(60, WIDTH - 64), 'no error');
  });
});

test('a display without changes, takes no time: a program that waits for ever is found', (t) => {
  const error = t.throws(() =>
    onMachine(function* ({ process, kernel, host }) {
      addDisplay(host);
      const display = yield* openDisplay(process, CARD);
      yield* turnOnDisplay(process, display, (yield* screenOf(process, display, 1)).framebuffer);
      t.is(kernel.now(), 0);
      yield* readFlip(process, display);
    }),
  );
  t.is(error?.message, 'All programs wait for ever');
});

test('stop, ends the driver at a vblank; changes after that are shown to nobody, at once', (t) => {
  onMachine(function* ({ process, kernel, host }) {
    const device = addDisplay(host);
    const display = yield* openDisplay(process, CARD);
    const [one, other] = [yield* screenOf(process, display, 1), yield* screenOf(process, display, 2)];
    yield* turnOnDisplay(process, display, one.framebuffer);
    t.true(device.isRunning);
    device.stop?.();
    yield* sleepUntil(VBLANK(1) + 1, 'the last vblank');
    t.false(device.isRunning);
    t.deepEqual(crcsOf(device), [`1 ${one.crc}`]);
    yield* showFramebuffer(process, display, other.framebuffer, { wait: true });
    t.is(kernel.now(), VBLANK(1) + 1);
    t.is(counter(device, 'shown'), 1);
  });
});
