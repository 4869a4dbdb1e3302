/**
 * What a display shows: the state of its connector, CRTC and primary plane, and the checks that a new one has to pass.
 *
 * Source: struct drm_crtc_state, drm_plane_state and drm_connector_state; drm_atomic_check_only in drm_atomic.c and
 * drm_atomic_helper_check in drm_atomic_helper.c, v6.12.
 */
import { ErrnoError } from '@dmabuf-lab/core/base';
import type { PropertyBlob } from './blob.js';
import type { DisplayDriver } from './display-driver.js';
import type { Framebuffer } from './framebuffers.js';
import { isSameTiming, type Mode } from './mode.js';

export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A mode that is set, and the blob that tells of it. */
export interface ModeInUse {
  readonly mode: Mode;
  readonly blob: PropertyBlob;
}

/** A state holds its framebuffer and its blob. */
export interface PipeState {
  readonly isActive: boolean;
  /** The CRTC is enabled while it has one. */
  readonly mode: ModeInUse | undefined;
  /** The connector is on the CRTC. */
  readonly isConnected: boolean;
  readonly framebuffer: Framebuffer | undefined;
  /** The plane is on the CRTC. */
  readonly isPlaneOn: boolean;
  /** Of the framebuffer, in 16.16. */
  readonly source: Rectangle;
  /** On the CRTC, in pixels. */
  readonly target: Rectangle;
}

const NOTHING: Rectangle = { x: 0, y: 0, width: 0, height: 0 };
export const DARK: PipeState = {
  isActive: false,
  mode: undefined,
  isConnected: false,
  framebuffer: undefined,
  isPlaneOn: false,
  source: NOTHING,
  target: NOTHING,
};

/** Fixed point of source rectangles. */
export const FIXED = 0x10000;
const MOST_SIGNED = 0x7fff_ffff;

export function holdState(state: PipeState): PipeState {
  state.framebuffer?.hold();
  state.mode?.blob.hold();
  return state;
}

export function dropState({ framebuffer, mode }: PipeState): void {
  framebuffer?.drop();
  mode?.blob.drop();
}

/** What is being changed. */
export interface PipeChange {
  readonly old: PipeState;
  readonly next: PipeState;
  readonly touchesPlane: boolean;
  readonly touchesCrtc: boolean;
  /** Somebody wants to be told when it is done. */
  readonly hasEvent: boolean;
  readonly allowModeset: boolean;
}

/** Source: drm_atomic_check_only. @throws ErrnoError EINVAL, ERANGE, ENOSPC */
export function checkChange(change: PipeChange, display: DisplayDriver, op: string): void {
  if (change.touchesPlane) checkPlane(change.next, display, op);
  if (change.touchesCrtc) checkCrtc(change, op);
  checkByHelpers(change, display, op);
  if (change.touchesCrtc && !change.allowModeset && needsModeset(change)) {
    throw refusal('EINVAL', 'it needs a full modeset, which is not allowed', op);
  }
}

/** Source: drm_atomic_plane_check. */
function checkPlane({ framebuffer, isPlaneOn, source, target }: PipeState, display: DisplayDriver, op: string): void {
  if (isPlaneOn !== (framebuffer !== undefined)) throw refusal('EINVAL', 'a plane needs both CRTC and framebuffer', op);
  if (framebuffer === undefined) return;
  if (!display.planeFormats.includes(framebuffer.format)) throw refusal('EINVAL', 'the plane lacks the format', op);
  const overflows = (at: number, size: number): boolean => size > MOST_SIGNED || at > MOST_SIGNED - size;
  if (overflows(target.x, target.width) || overflows(target.y, target.height)) {
    throw refusal('ERANGE', 'the target is out of range', op);
  }
  framebuffer.checkSource(source, op);
}

/** Source: drm_atomic_crtc_check, and the check of connectors in drm_atomic_helper_check_modeset. */
function checkCrtc({ old, next, hasEvent }: PipeChange, op: string): void {
  const isEnabled = next.mode !== undefined;
  if (next.isActive && !isEnabled) throw refusal('EINVAL', 'a CRTC that is active needs a mode', op);
  if (hasEvent && !next.isActive && !old.isActive)
    throw refusal('EINVAL', 'there is no event of a CRTC that is off', op);
}

/** Source: drm_atomic_helper_check. */
function checkByHelpers(change: PipeChange, display: DisplayDriver, op: string): void {
  const { next, touchesCrtc } = change;
  const isEnabled = next.mode !== undefined;
  if (touchesCrtc && isEnabled !== next.isConnected) {
    throw refusal('EINVAL', 'a CRTC has a mode if and only if it has a connector', op);
  }
  if (change.touchesPlane || (touchesCrtc && needsModeset(change))) {
    checkPlaneState(next, display, op);
    if (next.framebuffer !== undefined) display.checkPlane?.(next, op);
  }
  if (touchesCrtc && isEnabled && display.needsPrimaryPlane && !next.isPlaneOn) {
    throw refusal('EINVAL', 'the CRTC needs its primary plane', op);
  }
}

/** Source: drm_atomic_helper_check_plane_state, without scaling and without another position. */
function checkPlaneState({ framebuffer, mode, source, target }: PipeState, display: DisplayDriver, op: string): void {
  if (framebuffer === undefined) return;
  if (mode === undefined && !display.updatesDisabledPlane) throw refusal('EINVAL', 'the CRTC is off', op);
  const isScaled = (from: number, to: number): boolean => to > 0 && scaleOf(from, to) !== FIXED;
  if (isScaled(source.width, target.width) || isScaled(source.height, target.height)) {
    throw refusal('ERANGE', 'the plane cannot scale', op);
  }
  if (mode === undefined) return;
  const { hdisplay, vdisplay } = mode.mode;
  const right = Math.min(target.x + target.width, hdisplay);
  const bottom = Math.min(target.y + target.height, vdisplay);
  const left = Math.max(target.x, 0);
  const top = Math.max(target.y, 0);
  if (right <= left || bottom <= top) return;
  if (left > 0 || top > 0 || right < hdisplay || bottom < vdisplay) {
    throw refusal('EINVAL', 'the plane must cover the whole CRTC', op);
  }
}

/** Source: drm_calc_scale. */
const scaleOf = (from: number, to: number): number =>
  from > to * FIXED ? Math.ceil(from / to) : Math.floor(from / to);

/** Source: drm_atomic_crtc_needs_modeset. */
export function needsModeset({ old, next }: PipeChange): boolean {
  return (
    !isSameTiming(old.mode?.mode, next.mode?.mode) ||
    old.isActive !== next.isActive ||
    old.isConnected !== next.isConnected
  );
}

function refusal(code: 'EINVAL' | 'ERANGE', why: string, op: string): ErrnoError {
  return new ErrnoError(code, op, `Cannot change the display: ${why}`);
}
