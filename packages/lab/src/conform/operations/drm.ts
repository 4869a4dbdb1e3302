/** DRM: nodes, GEM, PRIME, dumb buffers, vgem fences. */
import * as abi from '@dmabuf-lab/uapi/abi';
import { z } from 'zod';
import { answered, newFd, type Operation, operation, returnedFd } from '../operation.js';
import { enumeration, flags, integer, low32, reference } from '../values.js';
import { openFlags, RDWR_CLOEXEC } from './arguments.js';

const NODES: Readonly<Record<string, string>> = {
  vgem: '/dev/dri/card0',
  'vgem-render': '/dev/dri/renderD128',
  bochs: '/dev/dri/card1',
  virtio_gpu: '/dev/dri/card2',
  'virtio_gpu-render': '/dev/dri/renderD129',
};

export const drmTarget = z.looseObject({ drm: reference.optional() });
const handle = { handle: reference.optional() };
const pad = { pad: integer.default(0n) };
const PRIME_FLAGS = { CLOEXEC: abi.DRM_CLOEXEC, RDWR: abi.DRM_RDWR };

export const drmOperations: Readonly<Record<string, Operation>> = {
  'drm.open': operation(
    z.looseObject({ node: z.string().default('vgem'), flags: openFlags.default(RDWR_CLOEXEC) }),
    ({ process }, { node, flags: how }) => returnedFd(process.open(NODES[node] ?? `/dev/dri/${node}`, low32(how))),
  ),
  'drm.version': operation(drmTarget, function* (context, given) {
    const { process } = context;
    const name = new Uint8Array(64);
    const address = process.user.put(name);
    const data = yield* process.command(context.fd(given.drm), abi.DRM_IOCTL_VERSION, {
      name_len: BigInt(name.length),
      name: address,
    });
    return answered({ ret: 0, name: String.fromCharCode(...name.subarray(0, Number(data.name_len))) });
  }),
  'drm.getCap': operation(drmTarget.extend({ cap: enumeration(abi.DRM_CAP) }), function* (context, given) {
    const fd = context.fd(given.drm);
    const data = yield* context.process.command(fd, abi.DRM_IOCTL_GET_CAP, { capability: BigInt(given.cap) });
    return answered({ ret: 0, value: Number(data.value) });
  }),
  'drm.setMaster': operation(drmTarget, function* (context, given) {
    const fd = context.fd(given.drm);
    return answered({ ret: yield* context.process.ioctl(fd, abi.DRM_IOCTL_SET_MASTER.number, 0n) });
  }),
  'drm.dropMaster': operation(drmTarget, function* (context, given) {
    const fd = context.fd(given.drm);
    return answered({ ret: yield* context.process.ioctl(fd, abi.DRM_IOCTL_DROP_MASTER.number, 0n) });
  }),
  'dumb.create': operation(
    drmTarget.extend({
      width: integer.default(64n),
      height: integer.default(16n),
      bpp: integer.default(32n),
      flags: integer.default(0n),
    }),
    function* (context, given) {
      const data = yield* context.process.command(context.fd(given.drm), abi.DRM_IOCTL_MODE_CREATE_DUMB, {
        width: low32(given.width),
        height: low32(given.height),
        bpp: low32(given.bpp),
        flags: low32(given.flags),
      });
      const answer = { ret: 0, handle: data.handle, pitch: data.pitch, size: Number(data.size) };
      return { answer, bind: { number: BigInt(data.handle) } };
    },
  ),
  'dumb.mapOffset': operation(drmTarget.extend({ ...handle, ...pad }), function* (context, given) {
    const data = yield* context.process.command(context.fd(given.drm), abi.DRM_IOCTL_MODE_MAP_DUMB, {
      handle: low32(context.number(given.handle)),
      pad: low32(given.pad),
    });
    const offset = data.offset === 0n ? 0 : 'nonzero';
    return { answer: { ret: 0, offset }, bind: { number: data.offset } };
  }),
  'dumb.destroy': operation(drmTarget.extend(handle), function* (context, given) {
    yield* context.process.command(context.fd(given.drm), abi.DRM_IOCTL_MODE_DESTROY_DUMB, {
      handle: low32(context.number(given.handle)),
    });
    return answered({ ret: 0 });
  }),
  'gem.close': operation(drmTarget.extend({ ...handle, ...pad }), function* (context, given) {
    yield* context.process.command(context.fd(given.drm), abi.DRM_IOCTL_GEM_CLOSE, {
      handle: low32(context.number(given.handle)),
      pad: low32(given.pad),
    });
    return answered({ ret: 0 });
  }),
  'gem.flink': operation(drmTarget.extend(handle), function* (context, given) {
    const data = yield* context.process.command(context.fd(given.drm), abi.DRM_IOCTL_GEM_FLINK, {
      handle: low32(context.number(given.handle)),
    });
    return { answer: { ret: 0 }, bind: { number: BigInt(data.name) } };
  }),
  'gem.open': operation(drmTarget.extend({ name: reference.optional() }), function* (context, given) {
    const data = yield* context.process.command(context.fd(given.drm), abi.DRM_IOCTL_GEM_OPEN, {
      name: low32(context.number(given.name)),
    });
    const answer = { ret: 0, handle: data.handle, size: Number(data.size) };
    return { answer, bind: { number: BigInt(data.handle) } };
  }),
  'prime.handleToFd': operation(
    drmTarget.extend({ ...handle, flags: flags(PRIME_FLAGS).default(BigInt(abi.DRM_CLOEXEC | abi.DRM_RDWR)) }),
    function* (context, given) {
      const data = yield* context.process.command(context.fd(given.drm), abi.DRM_IOCTL_PRIME_HANDLE_TO_FD, {
        handle: low32(context.number(given.handle)),
        flags: low32(given.flags),
        fd: -1,
      });
      return newFd(data.fd);
    },
  ),
  'prime.fdToHandle': operation(
    z.looseObject({
      drm: reference.optional(),
      buf: reference.optional(),
      flags: flags(PRIME_FLAGS).default(0n),
    }),
    function* (context, given) {
      const data = yield* context.process.command(context.fd(given.drm), abi.DRM_IOCTL_PRIME_FD_TO_HANDLE, {
        fd: context.fd(given.buf),
        flags: low32(given.flags),
      });
      return { answer: { ret: 0, handle: data.handle }, bind: { number: BigInt(data.handle) } };
    },
  ),
  'vgem.fenceAttach': operation(
    drmTarget.extend({
      ...handle,
      ...pad,
      flags: flags(abi.VGEM_FENCE).default(0n),
      outFenceIn: integer.default(0n),
    }),
    function* (context, given) {
      const data = yield* context.process.command(context.fd(given.drm), abi.DRM_IOCTL_VGEM_FENCE_ATTACH, {
        handle: low32(context.number(given.handle)),
        flags: low32(given.flags),
        out_fence: low32(given.outFenceIn),
        pad: low32(given.pad),
      });
      return { answer: { ret: 0, fence: data.out_fence }, bind: { number: BigInt(data.out_fence) } };
    },
  ),
  'vgem.fenceSignal': operation(
    drmTarget.extend({ fence: reference.optional(), flags: integer.default(0n) }),
    function* (context, given) {
      yield* context.process.command(context.fd(given.drm), abi.DRM_IOCTL_VGEM_FENCE_SIGNAL, {
        fence: low32(context.number(given.fence)),
        flags: low32(given.flags),
      });
      return answered({ ret: 0 });
    },
  ),
};
