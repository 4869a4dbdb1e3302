import { sleepUntil } from '@dmabuf-lab/core/base';
import * as abi from '@dmabuf-lab/uapi/abi';
import test from 'ava';
import { runInProcess } from '../run-in-process.js';
import { BOCHS, Display, ID, ManualFence, OUT, UNTOUCHED, VIRTIO_GPU } from './display.js';

const { EVENT } = abi.DRM_MODE_PAGE_FLIP;
const { TEST_ONLY, NONBLOCK, ALLOW_MODESET } = abi.DRM_MODE_ATOMIC;
const MS = 1_000_000;

for (const path of [BOCHS, VIRTIO_GPU]) {
  test(`atomic on ${path}, with an in-fence, shows and tells only after the fence`, (t) => {
    runInProcess(function* (process) {
      const display = yield* Display.open(process, path);
      const [one, other] = [yield* display.framebuffer(), yield* display.framebuffer()];
      t.is((yield* display.turnOn(other.fb)).code, undefined);
      t.is((yield* display.turnOn(one.fb)).code, undefined);
      const fence = yield* ManualFence.make(process);
      const flip = yield* display.atomic(
        NONBLOCK | EVENT,
        ['plane', ID.FB, other.fb],
        ['plane', ID.IN_FENCE, fence.syncFile],
        ['crtc', ID.OUT_FENCE, OUT],
      );
      t.is(flip.code, undefined);
      const outFence = [{ fd: flip.outFence, events: abi.POLL.IN }];
      t.deepEqual(yield* process.poll(outFence, 50), [0]);
      t.is(yield* display.event(50), undefined);
      t.is((yield* display.atomic(NONBLOCK, ['plane', ID.FB, one.fb])).code, 'EBUSY');
      yield* fence.signal();
      t.deepEqual(yield* process.poll(outFence, 50), [abi.POLL.IN]);
      t.like(yield* display.event(), { type: abi.DRM_EVENT.FLIP_COMPLETE, user_data: 7n, crtc_id: display.id('crtc') });
      t.like(yield* display.shown(), { fb: other.fb });
    });
  });
}

test('atomic, that may block, waits for its in-fence', (t) => {
  runInProcess(function* (process, kernel) {
    const display = yield* Display.open(process, VIRTIO_GPU);
    const { fb } = yield* display.framebuffer();
    yield* display.turnOn(fb);
    const fence = yield* ManualFence.make(process);
    const startNs = kernel.now();
    kernel.spawn(
      'the producer',
      (function* () {
        yield* sleepUntil(startNs + 30 * MS, 'the work');
        yield* fence.signal();
      })(),
    );
    yield* display.atomic(0, ['plane', ID.IN_FENCE, fence.syncFile]);
    t.is(kernel.now(), startNs + 30 * MS);
  });
});

test('atomic, with an in-fence, does not wait for the fences of the buffer', (t) => {
  runInProcess(function* (process) {
    const display = yield* Display.open(process, VIRTIO_GPU);
    const { fb, handle } = yield* display.framebuffer();
    yield* display.turnOn(fb);
    const [implicit, explicit] = [yield* ManualFence.make(process), yield* ManualFence.make(process)];
    yield* implicit.attachTo(display, handle);
    yield* explicit.signal();
    yield* display.atomic(NONBLOCK | EVENT, ['plane', ID.FB, fb], ['plane', ID.IN_FENCE, explicit.syncFile]);
    t.not(yield* display.event(), undefined);
    yield* display.atomic(NONBLOCK | EVENT, ['plane', ID.FB, fb]);
    t.is(yield* display.event(), undefined);
    yield* implicit.signal();
    t.not(yield* display.event(), undefined);
  });
});

test('atomic, that fails, leaves -1 for the out-fence, and no descriptor', (t) => {
  runInProcess(function* (process) {
    const display = yield* Display.open(process, BOCHS);
    const { fb } = yield* display.framebuffer();
    yield* display.turnOn(fb);
    const before = process.fds.numbers;
    const wrong: readonly [string, Parameters<Display['atomic']>[1]][] = [
      ['EINVAL', ['plane', ID.FB, 99_999]],
      ['ENOSPC', ['plane', ID.SRC_X, 65536]],
      ['EINVAL', ['plane', ID.IN_FENCE, display.fd]],
      ['EINVAL', ['connector', ID.DPMS, 3]],
      ['ENOENT', ['plane', ID.ACTIVE, 1]],
      ['ENOENT', [99_999, ID.FB, fb]],
    ];
    for (const [code, setting] of wrong) {
      t.deepEqual(yield* display.atomic(0, ['crtc', ID.OUT_FENCE, OUT], setting), { code, outFence: -1 });
    }
    t.is((yield* display.atomic(0, ['crtc', ID.OUT_FENCE, 8])).code, 'EFAULT');
    t.deepEqual(process.fds.numbers, before);
    t.is(yield* display.event(), undefined);
  });
});

test('atomic, that only tests, changes nothing', (t) => {
  runInProcess(function* (process) {
    const display = yield* Display.open(process, BOCHS);
    const [one, other] = [yield* display.framebuffer(), yield* display.framebuffer()];
    yield* display.turnOn(one.fb);
    const tried = yield* display.atomic(TEST_ONLY, ['plane', ID.FB, other.fb], ['crtc', ID.OUT_FENCE, OUT]);
    t.deepEqual(tried, { code: undefined, outFence: -1 });
    t.is((yield* display.shown()).fb, one.fb);
    t.is((yield* display.atomic(TEST_ONLY | EVENT, ['plane', ID.FB, other.fb])).code, 'EINVAL');
    t.is((yield* display.atomic(TEST_ONLY, ['crtc', ID.ACTIVE, 0])).code, 'EINVAL');
    t.is((yield* display.atomic(TEST_ONLY | ALLOW_MODESET, ['crtc', ID.ACTIVE, 0])).code, undefined);
  });
});

test('atomic, empty, is nothing, and has no event', (t) => {
  runInProcess(function* (process) {
    const display = yield* Display.open(process, BOCHS);
    t.deepEqual(yield* display.atomic(0), { code: undefined, outFence: UNTOUCHED });
    t.is((yield* display.atomic(EVENT)).code, 'EINVAL');
    t.is((yield* display.atomic(0x800)).code, 'EINVAL');
  });
});

test('atomic, of a plane without its CRTC, is refused; without its plane only virtio_gpu shows a CRTC', (t) => {
  runInProcess(function* (process) {
    for (const path of [BOCHS, VIRTIO_GPU]) {
      const display = yield* Display.open(process, path);
      const { fb } = yield* display.framebuffer();
      yield* display.turnOn(fb);
      t.is((yield* display.atomic(0, ['plane', ID.CRTC, 0])).code, 'EINVAL');
      t.is((yield* display.atomic(0, ['plane', ID.FB, 0])).code, 'EINVAL');
      const off = yield* display.atomic(0, ['plane', ID.FB, 0], ['plane', ID.CRTC, 0]);
      t.is(off.code, path === BOCHS ? 'EINVAL' : undefined);
    }
  });
});

test('atomic, an in-fence is given once', (t) => {
  runInProcess(function* (process) {
    const display = yield* Display.open(process, BOCHS);
    const { fb } = yield* display.framebuffer();
    yield* display.turnOn(fb);
    const { syncFile } = yield* ManualFence.make(process);
    const none = ['plane', ID.IN_FENCE, -1] as const;
    const given = ['plane', ID.IN_FENCE, syncFile] as const;
    t.is((yield* display.atomic(TEST_ONLY, none, given)).code, undefined);
    t.is((yield* display.atomic(TEST_ONLY, given, given)).code, 'EINVAL');
    t.is((yield* display.atomic(TEST_ONLY, given, none)).code, 'EINVAL');
  });
});

test('a blob of a mode, is its file only, and lives while it is used', (t) => {
  runInProcess(function* (process) {
    const display = yield* Display.open(process, BOCHS);
    const stranger = yield* Display.open(process, BOCHS);
    const { fb } = yield* display.framebuffer();
    const blob = yield* display.modeBlob();
    const destroy = abi.DRM_IOCTL_MODE_DESTROYPROPBLOB;
    t.is(yield* stranger.refusal(destroy, { blob_id: blob }), 'EPERM');
    t.is(yield* display.refusal(destroy, { blob_id: fb }), 'ENOENT');
    t.is(yield* display.refusal(destroy, { blob_id: blob }), undefined);
    t.is(yield* display.refusal(abi.DRM_IOCTL_MODE_GETPROPBLOB, { blob_id: blob }), 'ENOENT');
    yield* display.turnOn(fb);
    t.is((yield* display.shown()).hasMode, true);
  });
});
