import * as abi from '@dmabuf-lab/uapi/abi';
import test from 'ava';
import { runInProcess } from '../run-in-process.js';
import { BOCHS, Display, HEIGHT, VIRTIO_GPU, WIDTH } from './display.js';

test('MODE_CLOSEFB, of what is shown, leaves it, and its id is free once it is not shown', (t) => {
  runInProcess(function* (process) {
    const display = yield* Display.open(process, BOCHS);
    const [one, other] = [yield* display.framebuffer(), yield* display.framebuffer()];
    yield* display.turnOn(one.fb);
    t.is(yield* display.refusal(abi.DRM_IOCTL_MODE_CLOSEFB, { fb_id: one.fb, pad: 1 }), 'EINVAL');
    t.is(yield* display.refusal(abi.DRM_IOCTL_MODE_CLOSEFB, { fb_id: one.fb }), undefined);
    t.is(yield* display.refusal(abi.DRM_IOCTL_MODE_RMFB, { fb_id: one.fb }), 'ENOENT');
    t.is((yield* display.shown()).fb, one.fb);
    yield* display.turnOn(other.fb);
    t.is((yield* display.framebuffer()).fb, one.fb);
  });
});

test('MODE_GETFB, tells what a framebuffer is, and gives a handle', (t) => {
  runInProcess(function* (process) {
    const display = yield* Display.open(process, VIRTIO_GPU);
    const { fb, handle } = yield* display.framebuffer();
    const told = yield* display.command(abi.DRM_IOCTL_MODE_GETFB, { fb_id: fb });
    t.like(told, { width: WIDTH, height: HEIGHT, pitch: WIDTH * 4, bpp: 32, depth: 24, handle: handle + 1 });
    t.is(yield* display.refusal(abi.DRM_IOCTL_MODE_GETFB, { fb_id: 99_999 }), 'ENOENT');
  });
});

test('MODE_DIRTYFB, is for displays that copy', (t) => {
  runInProcess(function* (process) {
    for (const [path, expected] of [[BOCHS, 'ENOSYS'] as const, [VIRTIO_GPU, undefined] as const]) {
      const display = yield* Display.open(process, path);
      const { fb } = yield* display.framebuffer();
      t.is(yield* display.refusal(abi.DRM_IOCTL_MODE_DIRTYFB, { fb_id: fb }), expected);
      t.is(yield* display.refusal(abi.DRM_IOCTL_MODE_DIRTYFB, { fb_id: fb, num_clips: 1 }), 'EINVAL');
      t.is(yield* display.refusal(abi.DRM_IOCTL_MODE_DIRTYFB, { fb_id: 0 }), 'ENOENT');
    }
  });
});

test('MODE_PAGE_FLIP, without room for its event, is refused until events are read', (t) => {
  runInProcess(function* (process) {
    const display = yield* Display.open(process, VIRTIO_GPU);
    const { fb } = yield* display.framebuffer();
    yield* display.turnOn(fb);
    const flip = { crtc_id: display.id('crtc'), fb_id: fb, flags: abi.DRM_MODE_PAGE_FLIP.EVENT };
    const room = 4096 / abi.drmEventVblank.size;
    for (let i = 0; i < room; i += 1) {
      t.is(yield* display.refusal(abi.DRM_IOCTL_MODE_PAGE_FLIP, flip), undefined);
      // A change that blocks waits for the one before it.
      yield* display.turnOn(fb);
    }
    t.is(yield* display.refusal(abi.DRM_IOCTL_MODE_PAGE_FLIP, flip), 'ENOMEM');
    t.not(yield* display.event(), undefined);
    t.is(yield* display.refusal(abi.DRM_IOCTL_MODE_PAGE_FLIP, flip), undefined);
  });
});

test('properties that are atomic, are hidden from a client that is not', (t) => {
  runInProcess(function* (process) {
    const display = yield* Display.open(process, BOCHS);
    const plane = { obj_id: display.id('plane'), obj_type: abi.DRM_MODE_OBJECT.PLANE };
    const all = yield* display.command(abi.DRM_IOCTL_MODE_OBJ_GETPROPERTIES, plane);
    yield* display.command(abi.DRM_IOCTL_SET_CLIENT_CAP, { capability: BigInt(abi.DRM_CLIENT_CAP.ATOMIC), value: 0n });
    const some = yield* display.command(abi.DRM_IOCTL_MODE_OBJ_GETPROPERTIES, plane);
    t.deepEqual([all.count_props, some.count_props], [13, 2]);
    const { name } = yield* display.command(abi.DRM_IOCTL_MODE_GETPROPERTY, { prop_id: 18 });
    t.is(name, 'IN_FENCE_FD');
  });
});
