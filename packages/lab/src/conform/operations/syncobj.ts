/** Sync objects. */
import * as abi from '@dmabuf-lab/uapi/abi';
import { z } from 'zod';
import type { CaseContext } from '../case-context.js';
import { answered, newFd, type Operation, operation } from '../operation.js';
import { flags, integer, low32, low64, reference } from '../values.js';
import { drmTarget } from './drm.js';

const NS_PER_MS = 1_000_000;
const FOR_EVER = 2n ** 63n - 1n;
/** What the harness has in `first` before the call. */
const UNTOUCHED = 0xffff_ffff;

const handle = { handle: reference.optional() };
const pad = { pad: integer.default(0n) };
/** One value stands for a list of one. */
const listOf = <T extends z.ZodType>(one: T) =>
  z
    .union([z.array(one), one])
    .transform((given) => (Array.isArray(given) ? given : [given]) as z.output<T>[])
    .default([]);
const handles = { handles: listOf(reference), count: integer.optional() };
const points = { points: listOf(integer) };
const waitFlags = flags(abi.DRM_SYNCOBJ_WAIT).default(0n);
const handleFlags = flags(abi.DRM_SYNCOBJ_HANDLE).default(0n);

/** Puts an array of 32-bit numbers into user memory. */
function put32(context: CaseContext, list: readonly number[]): bigint {
  const bytes = new Uint8Array(Math.max(1, list.length) * 4);
  const view = new DataView(bytes.buffer);
  for (const [i, number] of list.entries()) view.setUint32(i * 4, number, true);
  return context.process.user.put(bytes);
}

function put64(context: CaseContext, list: readonly bigint[], count: number): { address: bigint; view: DataView } {
  const bytes = new Uint8Array(Math.max(1, count) * 8);
  const view = new DataView(bytes.buffer);
  for (const [i, number] of list.entries()) view.setBigUint64(i * 8, low64(number), true);
  return { address: context.process.user.put(bytes), view };
}

const numbers = (context: CaseContext, list: readonly z.infer<typeof reference>[]): number[] =>
  list.map((one) => low32(context.number(one)));

const countOf = ({ handles: list, count }: { handles: readonly unknown[]; count?: bigint | undefined }): number =>
  low32(count ?? BigInt(list.length));

/** 0 only looks; negative waits for ever. */
function timeOf(context: CaseContext, timeoutMs: number): bigint {
  if (timeoutMs === 0) return 0n;
  return timeoutMs < 0 ? FOR_EVER : BigInt(context.kernel.now() + Math.round(timeoutMs * NS_PER_MS));
}

const wait = drmTarget.extend({ ...handles, ...pad, flags: waitFlags, timeoutMs: z.number().default(0) });

const firstOf = (word: bigint, first: number): object =>
  (Number(word) & abi.DRM_SYNCOBJ_WAIT.ALL) === 0 ? { first } : {};

export const syncobjOperations: Readonly<Record<string, Operation>> = {
  'syncobj.create': operation(
    drmTarget.extend({ flags: flags(abi.DRM_SYNCOBJ_CREATE).default(0n) }),
    function* (context, given) {
      const data = yield* context.process.command(context.fd(given.drm), abi.DRM_IOCTL_SYNCOBJ_CREATE, {
        flags: low32(given.flags),
      });
      return { answer: { ret: 0, handle: data.handle }, bind: { number: BigInt(data.handle) } };
    },
  ),
  'syncobj.destroy': operation(drmTarget.extend({ ...handle, ...pad }), function* (context, given) {
    yield* context.process.command(context.fd(given.drm), abi.DRM_IOCTL_SYNCOBJ_DESTROY, {
      handle: low32(context.number(given.handle)),
      pad: low32(given.pad),
    });
    return answered({ ret: 0 });
  }),
  'syncobj.handleToFd': operation(
    drmTarget.extend({ ...handle, ...pad, flags: handleFlags }),
    function* (context, given) {
      const data = yield* context.process.command(context.fd(given.drm), abi.DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, {
        handle: low32(context.number(given.handle)),
        flags: low32(given.flags),
        fd: -1,
        pad: low32(given.pad),
      });
      return newFd(data.fd);
    },
  ),
  'syncobj.fdToHandle': operation(
    z.looseObject({
      drm: reference.optional(),
      fd: reference.optional(),
      ...handle,
      ...pad,
      flags: handleFlags,
    }),
    function* (context, given) {
      const data = yield* context.process.command(context.fd(given.drm), abi.DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, {
        handle: low32(context.number(given.handle)),
        flags: low32(given.flags),
        fd: context.fd(given.fd),
        pad: low32(given.pad),
      });
      if ((Number(given.flags) & abi.DRM_SYNCOBJ_HANDLE.SYNC_FILE) !== 0) return answered({ ret: 0 });
      return { answer: { ret: 0, handle: data.handle }, bind: { number: BigInt(data.handle) } };
    },
  ),
  'syncobj.wait': operation(wait, function* (context, given) {
    const data = yield* context.process.command(context.fd(given.drm), abi.DRM_IOCTL_SYNCOBJ_WAIT, {
      handles: put32(context, numbers(context, given.handles)),
      timeout_nsec: timeOf(context, given.timeoutMs),
      count_handles: countOf(given),
      flags: low32(given.flags),
      first_signaled: UNTOUCHED,
      pad: low32(given.pad),
    });
    return answered({ ret: 0, ...firstOf(given.flags, data.first_signaled) });
  }),
  'syncobj.timelineWait': operation(wait.extend(points), function* (context, given) {
    const data = yield* context.process.command(context.fd(given.drm), abi.DRM_IOCTL_SYNCOBJ_TIMELINE_WAIT, {
      handles: put32(context, numbers(context, given.handles)),
      points: put64(context, given.points, Math.max(given.points.length, given.handles.length)).address,
      timeout_nsec: timeOf(context, given.timeoutMs),
      count_handles: countOf(given),
      flags: low32(given.flags),
      first_signaled: UNTOUCHED,
      pad: low32(given.pad),
    });
    return answered({ ret: 0, ...firstOf(given.flags, data.first_signaled) });
  }),
  'syncobj.reset': operation(drmTarget.extend({ ...handles, ...pad }), function* (context, given) {
    yield* context.process.command(context.fd(given.drm), abi.DRM_IOCTL_SYNCOBJ_RESET, {
      handles: put32(context, numbers(context, given.handles)),
      count_handles: countOf(given),
      pad: low32(given.pad),
    });
    return answered({ ret: 0 });
  }),
  'syncobj.signal': operation(drmTarget.extend({ ...handles, ...pad }), function* (context, given) {
    yield* context.process.command(context.fd(given.drm), abi.DRM_IOCTL_SYNCOBJ_SIGNAL, {
      handles: put32(context, numbers(context, given.handles)),
      count_handles: countOf(given),
      pad: low32(given.pad),
    });
    return answered({ ret: 0 });
  }),
  'syncobj.timelineSignal': operation(
    drmTarget.extend({ ...handles, ...points, flags: integer.default(0n) }),
    function* (context, given) {
      yield* context.process.command(context.fd(given.drm), abi.DRM_IOCTL_SYNCOBJ_TIMELINE_SIGNAL, {
        handles: put32(context, numbers(context, given.handles)),
        points: put64(context, given.points, Math.max(given.points.length, given.handles.length)).address,
        count_handles: countOf(given),
        flags: low32(given.flags),
      });
      return answered({ ret: 0 });
    },
  ),
  'syncobj.query': operation(
    drmTarget.extend({ ...handles, flags: flags(abi.DRM_SYNCOBJ_QUERY).default(0n) }),
    function* (context, given) {
      const { address, view } = put64(context, [], given.handles.length);
      yield* context.process.command(context.fd(given.drm), abi.DRM_IOCTL_SYNCOBJ_QUERY, {
        handles: put32(context, numbers(context, given.handles)),
        points: address,
        count_handles: countOf(given),
        flags: low32(given.flags),
      });
      const list = given.handles.map((_, i) => Number(view.getBigUint64(i * 8, true)));
      return answered({ ret: 0, points: list });
    },
  ),
  'syncobj.transfer': operation(
    drmTarget.extend({
      src: reference.optional(),
      dst: reference.optional(),
      srcPoint: integer.default(0n),
      dstPoint: integer.default(0n),
      flags: waitFlags,
      ...pad,
    }),
    function* (context, given) {
      yield* context.process.command(context.fd(given.drm), abi.DRM_IOCTL_SYNCOBJ_TRANSFER, {
        src_handle: low32(context.number(given.src)),
        dst_handle: low32(context.number(given.dst)),
        src_point: low64(given.srcPoint),
        dst_point: low64(given.dstPoint),
        flags: low32(given.flags),
        pad: low32(given.pad),
      });
      return answered({ ret: 0 });
    },
  ),
  'syncobj.eventfd': operation(
    drmTarget.extend({
      ...handle,
      ...pad,
      point: integer.default(0n),
      eventfd: reference.optional(),
      flags: waitFlags,
    }),
    function* (context, given) {
      yield* context.process.command(context.fd(given.drm), abi.DRM_IOCTL_SYNCOBJ_EVENTFD, {
        handle: low32(context.number(given.handle)),
        flags: low32(given.flags),
        point: low64(given.point),
        fd: context.fd(given.eventfd),
        pad: low32(given.pad),
      });
      return answered({ ret: 0 });
    },
  ),
};
