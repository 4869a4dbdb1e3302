/** DRM: mode setting. */
import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
import * as abi from '@dmabuf-lab/uapi/abi';
import { z } from 'zod';
import type { CaseContext } from '../case-context.js';
import { answered, type Operation, operation } from '../operation.js';
import { bigintOf, count, flags, integer, low32, low64, reference } from '../values.js';
import { drmTarget } from './drm.js';

/** An index that stands for no CRTC gives an id that none has. */
const UNUSED_ID = 90_000;
const MOST_OBJECTS = 8;
const MOST_MODES = 128;
/** What every flip carries, and its event must bring back. */
const USER_DATA = 0x1234n;
const EVENT_ROOM = 4 * abi.drmEventVblank.size;

const number = integer.default(0n);
const crtc = { crtc: reference.optional() };
const fb = { fb: reference.optional() };
/** One value, or one a plane. */
const perPlane = z.union([reference, z.array(reference)]).optional();
const fourcc = z
  .union([z.string(), z.int()])
  .transform((value) => (typeof value === 'number' ? low32(BigInt(value)) : codeOf(value)));

function codeOf(text: string): number {
  if (/^\d/.test(text)) return low32(bigintOf(text));
  return [...text.slice(0, 4)].reduce((word, letter, i) => word + (letter.charCodeAt(0) & 0xff) * 256 ** i, 0);
}

type Target = z.infer<typeof drmTarget>;
const fdOf = (context: CaseContext, given: Target): number => context.fd(given.drm);

function planesOf(context: CaseContext, given: z.infer<typeof perPlane>): bigint[] {
  const values = (Array.isArray(given) ? given : given === undefined ? [] : [given]).map((one) => context.number(one));
  return Array.from({ length: abi.DRM_FORMAT_MAX_PLANES }, (_, i) => values[i] ?? 0n);
}

/** What there is to set; nothing where the device does not tell. */
interface Objects {
  readonly crtcs: readonly number[];
  readonly connectors: readonly number[];
}

function* objectsOf({ process }: CaseContext, fd: number): Task<Objects> {
  const crtcs = new Uint8Array(MOST_OBJECTS * abi.idWord.size);
  const connectors = new Uint8Array(MOST_OBJECTS * abi.idWord.size);
  try {
    const data = yield* process.command(fd, abi.DRM_IOCTL_MODE_GETRESOURCES, {
      crtc_id_ptr: process.user.put(crtcs),
      count_crtcs: MOST_OBJECTS,
      connector_id_ptr: process.user.put(connectors),
      count_connectors: MOST_OBJECTS,
    });
    return { crtcs: wordsOf(crtcs, data.count_crtcs), connectors: wordsOf(connectors, data.count_connectors) };
  } catch (error) {
    if (error instanceof ErrnoError) return { crtcs: [], connectors: [] };
    throw error;
  }
}

const wordsOf = (bytes: Uint8Array, length: number): number[] =>
  Array.from({ length: Math.min(length, MOST_OBJECTS) }, (_, i) => new DataView(bytes.buffer).getUint32(i * 4, true));

function* crtcOf(context: CaseContext, fd: number, given: z.infer<typeof crtc.crtc>): Task<number> {
  const { crtcs } = yield* objectsOf(context, fd);
  const index = Number(context.number(given));
  return crtcs[index] ?? low32(BigInt(index + UNUSED_ID));
}

type Mode = ReturnType<typeof abi.drmModeModeinfo.decode>;

/** The first mode of that size that the connector lists. */
function* modeOf(
  { process }: CaseContext,
  fd: number,
  connector: number,
  size: readonly number[],
): Task<Mode | undefined> {
  yield* process.command(fd, abi.DRM_IOCTL_MODE_GETCONNECTOR, { connector_id: connector });
  const bytes = new Uint8Array(MOST_MODES * abi.drmModeModeinfo.size);
  const { count_modes } = yield* process.command(fd, abi.DRM_IOCTL_MODE_GETCONNECTOR, {
    connector_id: connector,
    modes_ptr: process.user.put(bytes),
    count_modes: MOST_MODES,
  });
  const modes = Array.from({ length: Math.min(count_modes, MOST_MODES) }, (_, i) =>
    abi.drmModeModeinfo.decode(bytes.subarray(i * abi.drmModeModeinfo.size)),
  );
  return modes.find(({ hdisplay, vdisplay }) => hdisplay === size[0] && vdisplay === size[1]);
}

const EVENT_NAMES: Readonly<Record<number, string>> = {
  [abi.DRM_EVENT.VBLANK]: 'VBLANK',
  [abi.DRM_EVENT.FLIP_COMPLETE]: 'FLIP_COMPLETE',
};

export const kmsOperations: Readonly<Record<string, Operation>> = {
  'kms.resources': operation(drmTarget, function* (context, given) {
    const data = yield* context.process.command(fdOf(context, given), abi.DRM_IOCTL_MODE_GETRESOURCES, {});
    return answered({
      ret: 0,
      crtcs: data.count_crtcs,
      connectors: data.count_connectors,
      encoders: data.count_encoders,
      minWidth: data.min_width,
      maxWidth: data.max_width,
      minHeight: data.min_height,
      maxHeight: data.max_height,
    });
  }),
  'kms.addFb': operation(
    drmTarget.extend({
      handle: reference.optional(),
      width: integer.default(64n),
      height: integer.default(16n),
      pitch: integer.default(256n),
      bpp: integer.default(32n),
      depth: integer.default(24n),
    }),
    function* (context, given) {
      const data = yield* context.process.command(fdOf(context, given), abi.DRM_IOCTL_MODE_ADDFB, {
        handle: low32(context.number(given.handle)),
        width: low32(given.width),
        height: low32(given.height),
        pitch: low32(given.pitch),
        bpp: low32(given.bpp),
        depth: low32(given.depth),
      });
      return { answer: { ret: 0 }, bind: { number: BigInt(data.fb_id) } };
    },
  ),
  'kms.addFb2': operation(
    drmTarget.extend({
      handle: perPlane,
      pitch: perPlane,
      offset: perPlane,
      modifier: perPlane,
      width: integer.default(64n),
      height: integer.default(16n),
      format: fourcc.default(codeOf('XR24')),
      flags: flags(abi.DRM_MODE_FB).default(0n),
    }),
    function* (context, given) {
      const data = yield* context.process.command(fdOf(context, given), abi.DRM_IOCTL_MODE_ADDFB2, {
        width: low32(given.width),
        height: low32(given.height),
        pixel_format: given.format,
        flags: low32(given.flags),
        handles: planesOf(context, given.handle).map(low32),
        pitches: planesOf(context, given.pitch).map(low32),
        offsets: planesOf(context, given.offset).map(low32),
        modifier: planesOf(context, given.modifier).map(low64),
      });
      return { answer: { ret: 0 }, bind: { number: BigInt(data.fb_id) } };
    },
  ),
  'kms.rmFb': operation(drmTarget.extend(fb), function* (context, given) {
    const fb_id = low32(context.number(given.fb));
    yield* context.process.command(fdOf(context, given), abi.DRM_IOCTL_MODE_RMFB, { fb_id });
    return answered({ ret: 0 });
  }),
  'kms.setCrtc': operation(
    drmTarget.extend({
      ...crtc,
      ...fb,
      x: number,
      y: number,
      mode: z.tuple([count, count]).optional(),
      connectors: integer.default(1n),
    }),
    function* (context, given) {
      const { process } = context;
      const fd = fdOf(context, given);
      const { connectors } = yield* objectsOf(context, fd);
      const wanted = {
        crtc_id: yield* crtcOf(context, fd, given.crtc),
        fb_id: low32(context.number(given.fb)),
        x: low32(given.x),
        y: low32(given.y),
      };
      if (given.mode === undefined) {
        yield* process.command(fd, abi.DRM_IOCTL_MODE_SETCRTC, wanted);
        return answered({ ret: 0 });
      }
      const mode = connectors.length === 0 ? undefined : yield* modeOf(context, fd, connectors[0], given.mode);
      if (mode === undefined) return answered({ noSuchMode: true });
      const list = new Uint8Array(MOST_OBJECTS * abi.idWord.size);
      for (const [i, id] of connectors.entries()) new DataView(list.buffer).setUint32(i * abi.idWord.size, id, true);
      yield* process.command(fd, abi.DRM_IOCTL_MODE_SETCRTC, {
        ...wanted,
        mode,
        mode_valid: 1,
        set_connectors_ptr: process.user.put(list),
        count_connectors: low32(given.connectors),
      });
      return answered({ ret: 0 });
    },
  ),
  'kms.getCrtc': operation(drmTarget.extend({ ...crtc, ...fb }), function* (context, given) {
    const fd = fdOf(context, given);
    const crtc_id = yield* crtcOf(context, fd, given.crtc);
    const data = yield* context.process.command(fd, abi.DRM_IOCTL_MODE_GETCRTC, { crtc_id });
    const { hdisplay, vdisplay } = data.mode;
    const isShown = data.fb_id !== 0;
    return answered({
      ret: 0,
      modeValid: data.mode_valid !== 0,
      fbBound: isShown,
      ...(data.mode_valid !== 0 && { hdisplay, vdisplay }),
      ...(given.fb !== undefined && { fbIs: isShown && BigInt(data.fb_id) === context.number(given.fb) }),
    });
  }),
  'kms.pageFlip': operation(
    drmTarget.extend({ ...crtc, ...fb, flags: flags(abi.DRM_MODE_PAGE_FLIP).default(0n), reserved: number }),
    function* (context, given) {
      const fd = fdOf(context, given);
      yield* context.process.command(fd, abi.DRM_IOCTL_MODE_PAGE_FLIP, {
        crtc_id: yield* crtcOf(context, fd, given.crtc),
        fb_id: low32(context.number(given.fb)),
        flags: low32(given.flags),
        reserved: low32(given.reserved),
        user_data: USER_DATA,
      });
      return answered({ ret: 0 });
    },
  ),
  'kms.readEvent': operation(drmTarget.extend({ timeoutMs: z.number().default(500) }), function* (context, given) {
    const { process } = context;
    const fd = fdOf(context, given);
    const [ready] = yield* process.poll([{ fd, events: 1 }], given.timeoutMs);
    if (ready === 0) return answered({ errno: 'EAGAIN' });
    const bytes = yield* process.read(fd, EVENT_ROOM);
    const padded = new Uint8Array(abi.drmEventVblank.size);
    padded.set(bytes.subarray(0, padded.length));
    const { type, user_data } = abi.drmEventVblank.decode(padded);
    return answered({ ret: bytes.length, type: EVENT_NAMES[type] ?? 'other', userData: user_data === USER_DATA });
  }),
};
