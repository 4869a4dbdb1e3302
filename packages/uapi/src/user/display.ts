/** What a program does with a display: framebuffers, modes and flips. Source: include/uapi/drm/drm_mode.h, v6.12. */
import { ErrnoError, type Nanoseconds, type Task } from '@dmabuf-lab/core/base';
import * as abi from '../abi/drm-mode.js';
import { fourcc } from '../devices/drm/kms/format-info.js';
import type { Process } from '../kernel/process.js';
import { atomicChange, type ObjectName, readDisplayObjects } from './display-objects.js';
import { openDrm } from './drm.js';

export type DisplayMode = ReturnType<typeof abi.drmModeModeinfo.decode>;

/** An open display with one CRTC, one primary plane and one connector. */
export interface OpenDisplay {
  readonly fd: number;
  readonly ids: Readonly<Record<ObjectName, number>>;
  /** Of properties, by the names of their objects and their own, such as `plane FB_ID`. */
  readonly properties: ReadonlyMap<string, number>;
  /** Of the connector, the preferred one first. */
  readonly modes: readonly DisplayMode[];
}

export interface FramebufferLayout {
  readonly handle: number;
  readonly widthPixels: number;
  readonly heightPixels: number;
  readonly strideBytes: number;
  /** 0 when absent. */
  readonly offsetBytes?: number;
  /** Four characters; `AB24` when absent: bytes R, G, B, A. */
  readonly format?: string;
}

export interface ShowOptions {
  /** A sync file to wait for, in place of the fences of the buffer. */
  readonly inFence?: number;
  /** Ask for a sync file that is signalled when the picture is on the screen. */
  readonly outFence?: boolean;
  /** Ask for an event, with this number in it; `readFlip` reads it. */
  readonly event?: bigint;
  /** Return when the picture is on the screen; false when absent. */
  readonly wait?: boolean;
}

/** A flip that has been done. */
export interface Flip {
  /** Of the vblank, in whole microseconds. */
  readonly timeNs: Nanoseconds;
  /** Counts vblanks. */
  readonly sequence: number;
  readonly userData: bigint;
}

const NS_PER_S = 1_000_000_000;
const NS_PER_US = 1000;
/** Fixed point of source rectangles. */
const FIXED = 0x10000;

/** Opens a display as an atomic client. @throws ErrnoError ENOENT, EMFILE, EOPNOTSUPP when the node sets no modes */
export function* openDisplay(process: Process, path: string): Task<OpenDisplay> {
  const fd = openDrm(process, path);
  try {
    const capability = BigInt(abi.DRM_CLIENT_CAP.ATOMIC);
    yield* process.command(fd, abi.DRM_IOCTL_SET_CLIENT_CAP, { capability, value: 1n });
    return { fd, ...(yield* readDisplayObjects(process, fd)) };
  } catch (error) {
    process.close(fd);
    throw error;
  }
}

/** Makes a picture of an object that can be shown. @returns its id @throws ErrnoError EINVAL, ENOENT, ERANGE */
export function* addFramebuffer(process: Process, display: OpenDisplay, layout: FramebufferLayout): Task<number> {
  const { handle, widthPixels, heightPixels, strideBytes, offsetBytes = 0, format = 'AB24' } = layout;
  const { fb_id } = yield* process.command(display.fd, abi.DRM_IOCTL_MODE_ADDFB2, {
    width: widthPixels,
    height: heightPixels,
    pixel_format: fourcc(format),
    handles: [handle],
    pitches: [strideBytes],
    offsets: [offsetBytes],
  });
  return fb_id;
}

/** Takes it off the screen, too. @throws ErrnoError ENOENT */
export function* removeFramebuffer(process: Process, display: OpenDisplay, framebuffer: number): Task<void> {
  yield* process.command(display.fd, abi.DRM_IOCTL_MODE_RMFB, { fb_id: framebuffer });
}

/**
 * Turns the display on with a framebuffer, from its corner, and returns when it is on the screen.
 *
 * @param mode the preferred one when absent; see `displayMode` for other sizes
 * @throws ErrnoError EINVAL, ENOENT, ENOSPC when the framebuffer is smaller than the mode, EBUSY, EACCES when another
 *   file is master
 */
export function* turnOnDisplay(
  process: Process,
  display: OpenDisplay,
  framebuffer: number,
  mode: Readonly<DisplayMode> = display.modes[0],
): Task<void> {
  const blob = yield* createModeBlob(process, display, mode);
  const { hdisplay, vdisplay } = mode;
  const { crtc } = display.ids;
  try {
    yield* atomicChange(process, display, abi.DRM_MODE_ATOMIC.ALLOW_MODESET, [
      ['connector', 'CRTC_ID', crtc],
      ['crtc', 'MODE_ID', blob],
      ['crtc', 'ACTIVE', 1],
      ['plane', 'FB_ID', framebuffer],
      ['plane', 'CRTC_ID', crtc],
      ['plane', 'SRC_X', 0],
      ['plane', 'SRC_Y', 0],
      ['plane', 'SRC_W', hdisplay * FIXED],
      ['plane', 'SRC_H', vdisplay * FIXED],
      ['plane', 'CRTC_X', 0],
      ['plane', 'CRTC_Y', 0],
      ['plane', 'CRTC_W', hdisplay],
      ['plane', 'CRTC_H', vdisplay],
    ]);
  } finally {
    yield* process.command(display.fd, abi.DRM_IOCTL_MODE_DESTROYPROPBLOB, { blob_id: blob });
  }
}

function* createModeBlob(process: Process, { fd }: OpenDisplay, mode: Readonly<DisplayMode>): Task<number> {
  const bytes = abi.drmModeModeinfo.encode(mode);
  const data = process.user.put(bytes);
  try {
    const { blob_id } = yield* process.command(fd, abi.DRM_IOCTL_MODE_CREATEPROPBLOB, { data, length: bytes.length });
    return blob_id;
  } finally {
    process.user.drop(data);
  }
}

/** Turns it off, and returns when it is. @throws ErrnoError EACCES, EBUSY */
export function* turnOffDisplay(process: Process, display: OpenDisplay): Task<void> {
  yield* atomicChange(process, display, abi.DRM_MODE_ATOMIC.ALLOW_MODESET, [
    ['connector', 'CRTC_ID', 0],
    ['crtc', 'MODE_ID', 0],
    ['crtc', 'ACTIVE', 0],
    ['plane', 'FB_ID', 0],
    ['plane', 'CRTC_ID', 0],
  ]);
}

/**
 * Changes to another framebuffer at a vblank, when what draws it is done.
 *
 * @returns the descriptor of the out-fence, if one was asked for
 * @throws ErrnoError EBUSY while the last change is not shown, unless it waits; EINVAL when the display is off, ENOENT,
 *   ENOMEM when too many events have not been read, EMFILE
 */
export function* showFramebuffer(
  process: Process,
  display: OpenDisplay,
  framebuffer: number,
  options: ShowOptions = {},
): Task<number | undefined> {
  const { inFence, outFence = false, event, wait = false } = options;
  const place = new DataView(new ArrayBuffer(4));
  const address = process.user.put(new Uint8Array(place.buffer));
  const flags = (wait ? 0 : abi.DRM_MODE_ATOMIC.NONBLOCK) | (event === undefined ? 0 : abi.DRM_MODE_PAGE_FLIP.EVENT);
  try {
    yield* atomicChange(
      process,
      display,
      flags,
      [
        ['plane', 'FB_ID', framebuffer],
        ...(inFence === undefined ? [] : [['plane', 'IN_FENCE_FD', inFence] as const]),
        ...(outFence ? [['crtc', 'OUT_FENCE_PTR', address] as const] : []),
      ],
      event,
    );
    return outFence ? place.getInt32(0, true) : undefined;
  } finally {
    process.user.drop(address);
  }
}

/** Waits for the event of a flip. @throws ErrnoError EAGAIN on a descriptor that does not block */
export function* readFlip(process: Process, { fd }: OpenDisplay): Task<Flip> {
  const bytes = yield* process.read(fd, abi.drmEventVblank.size);
  const { type, tv_sec, tv_usec, sequence, user_data } = abi.drmEventVblank.decode(bytes);
  if (type !== abi.DRM_EVENT.FLIP_COMPLETE) throw new ErrnoError('EPROTO', 'read', `Event ${type} is no flip`);
  return { timeNs: tv_sec * NS_PER_S + tv_usec * NS_PER_US, sequence, userData: user_data };
}
