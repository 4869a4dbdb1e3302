/** Setting a mode, and asking what is shown. Source: drivers/gpu/drm/drm_crtc.c, v6.12. */
import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
import {
  DRM_IOCTL_MODE_GETCRTC,
  DRM_IOCTL_MODE_SETCRTC,
  DRM_MODE_FLAG_PIC_AR_MASK,
  DRM_MODE_OBJECT,
  type drmModeCrtc,
  drmModeModeinfo,
} from '../../../abi/drm-mode.js';
import type { Process } from '../../../kernel/process.js';
import { type DrmIoctl, drmIoctl, PERMIT, type StructCall } from '../ioctl-table.js';
import { PropertyBlob } from './blob.js';
import { commit } from './commit.js';
import { needFramebuffer } from './framebuffer-ioctls.js';
import type { Framebuffer } from './framebuffers.js';
import type { KmsDevice } from './kms-device.js';
import { kmsFileOf } from './kms-file.js';
import { isValidMode, type Mode, modeBytes, withoutAspectRatio } from './mode.js';
import { DARK, FIXED, type ModeInUse, type PipeState } from './pipe-state.js';
import { readId } from './user-arrays.js';

type CrtcCall = StructCall<ReturnType<typeof drmModeCrtc.decode>>;

export function crtcIoctls(kms: KmsDevice): [number, DrmIoctl][] {
  return [
    drmIoctl(DRM_IOCTL_MODE_GETCRTC, 0, (call) => getCrtc(kms, call)),
    drmIoctl(DRM_IOCTL_MODE_SETCRTC, PERMIT.MASTER, (call) => setCrtc(kms, call)),
  ];
}

/** @throws ErrnoError ENOENT */
export function needCrtc(kms: KmsDevice, id: number, op: string): void {
  if (id !== kms.ids.crtc) throw new ErrnoError('ENOENT', op, `Cannot use CRTC ${id}: there is none`);
}

/** Source: drm_mode_getcrtc. */
function* getCrtc(kms: KmsDevice, { file, process, data }: CrtcCall): Task<void> {
  needCrtc(kms, data.crtc_id, DRM_IOCTL_MODE_GETCRTC.name);
  yield* kms.locked(process, () => {
    const { framebuffer, source, mode } = kms.state;
    data.fb_id = framebuffer?.id ?? 0;
    data.x = Math.floor(source.x / FIXED);
    data.y = Math.floor(source.y / FIXED);
    data.gamma_size = 0;
    data.mode_valid = mode === undefined ? 0 : 1;
    if (mode !== undefined) data.mode = kmsFileOf(file).aspectRatio ? mode.mode : withoutAspectRatio(mode.mode);
  });
}

/** Source: drm_mode_setcrtc. @throws ErrnoError ERANGE, ENOENT, EINVAL, ENOSPC, EFAULT, ENOMEM */
function* setCrtc(kms: KmsDevice, call: CrtcCall): Task<void> {
  const op = DRM_IOCTL_MODE_SETCRTC.name;
  const { process, data } = call;
  if (data.x > 0xffff || data.y > 0xffff) throw new ErrnoError('ERANGE', op, `Cannot show from ${data.x}, ${data.y}`);
  needCrtc(kms, data.crtc_id, op);
  yield* kms.locked(process, function* () {
    const wanted = data.mode_valid === 0 ? undefined : wantedPicture(kms, call);
    const hasConnector = checkConnectors(kms, call, wanted !== undefined);
    if (wanted === undefined) return yield* setConfiguration(kms, darkened(kms.state), op, process);
    const mode = useMode(kms, wanted.mode);
    try {
      const next = { ...pictureState(wanted, mode, data.x, data.y), isConnected: hasConnector };
      yield* setConfiguration(kms, next, op, process);
    } finally {
      mode.blob.drop();
    }
  });
}

/** A picture that user space wants to see. */
export interface WantedPicture {
  readonly mode: Mode;
  readonly framebuffer: Framebuffer;
}

function wantedPicture(kms: KmsDevice, { file, data }: CrtcCall): WantedPicture {
  const op = DRM_IOCTL_MODE_SETCRTC.name;
  const refuse = (why: string): ErrnoError => new ErrnoError('EINVAL', op, `Cannot set a mode: ${why}`);
  const framebuffer = data.fb_id === CURRENT ? kms.state.framebuffer : needFramebuffer(kms, data.fb_id, op);
  if (framebuffer === undefined) throw refuse('nothing is shown that could stay');
  const { mode } = data;
  if (!kmsFileOf(file).aspectRatio && (mode.flags & DRM_MODE_FLAG_PIC_AR_MASK) !== 0) {
    throw refuse('the client has not asked for aspect ratios');
  }
  if (!isUsable(kms, mode)) throw refuse('the mode is not valid');
  if (!kms.display.planeFormats.includes(framebuffer.format)) throw refuse('the plane lacks the format');
  const { hdisplay, vdisplay } = mode;
  const source = { x: data.x * FIXED, y: data.y * FIXED, width: hdisplay * FIXED, height: vdisplay * FIXED };
  framebuffer.checkSource(source, op);
  return { mode, framebuffer };
}

/** The framebuffer that is shown already. */
const CURRENT = 0xffff_ffff;

/** Whether the device can have a mode. Source: drm_mode_validate_driver. */
export function isUsable({ display }: KmsDevice, mode: Mode): boolean {
  const { hdisplay, vdisplay } = mode;
  return isValidMode(mode) && hdisplay * vdisplay * 4 <= display.mostModeBytes && (display.hasMode?.(mode) ?? true);
}

/** @returns whether there is one @throws ErrnoError EINVAL, EFAULT, ENOENT */
function checkConnectors(kms: KmsDevice, { process, data }: CrtcCall, hasMode: boolean): boolean {
  const op = DRM_IOCTL_MODE_SETCRTC.name;
  const { count_connectors: count } = data;
  const refuse = (why: string): ErrnoError => new ErrnoError('EINVAL', op, `Cannot set a mode: ${why}`);
  if (hasMode !== count > 0) throw refuse('a mode needs connectors, and they need a mode');
  if (count > 1) throw refuse(`there are ${count} connectors`);
  for (let i = 0; i < count; i += 1) {
    const id = readId(process, data.set_connectors_ptr, i, op);
    if (kms.objects.find(id, DRM_MODE_OBJECT.CONNECTOR) === undefined) {
      throw new ErrnoError('ENOENT', op, `Cannot use connector ${id}: there is none`);
    }
  }
  return count > 0;
}

/** Everything off; the rectangles of the plane stay. */
export const darkened = ({ source, target }: PipeState): PipeState => ({ ...DARK, source, target });

/** A mode with its blob: that of the state when it is the same. Source: drm_atomic_set_mode_for_crtc. @returns held */
export function useMode({ objects, state }: KmsDevice, mode: Mode): ModeInUse {
  const bytes = modeBytes(mode);
  const known = state.mode;
  if (known !== undefined && Buffer.compare(known.blob.bytes, bytes) === 0) {
    known.blob.hold();
    return known;
  }
  return { mode: drmModeModeinfo.decode(bytes), blob: new PropertyBlob(objects, bytes) };
}

/** A framebuffer from some place on, over the whole display. Source: __drm_atomic_helper_set_config. */
export function pictureState({ framebuffer }: WantedPicture, mode: ModeInUse, x: number, y: number): PipeState {
  const { hdisplay: width, vdisplay: height } = mode.mode;
  return {
    isActive: true,
    mode,
    isConnected: true,
    framebuffer,
    isPlaneOn: true,
    source: { x: x * FIXED, y: y * FIXED, width: width * FIXED, height: height * FIXED },
    target: { x: 0, y: 0, width, height },
  };
}

/** Source: drm_atomic_helper_set_config. */
export function* setConfiguration(kms: KmsDevice, next: PipeState, op: string, process?: Process): Task<void> {
  const change = { old: kms.state, next, touchesPlane: true, touchesCrtc: true, hasEvent: false, allowModeset: true };
  yield* commit(kms, { change, isNonblocking: false, op, ...(process !== undefined && { process }) });
}
