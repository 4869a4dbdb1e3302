/**
 * What one display driver brings to mode setting: the parts in which bochs and virtio_gpu differ.
 *
 * Source: struct drm_mode_config_funcs, struct drm_plane_helper_funcs, include/drm, v6.12.
 */
import type { Nanoseconds, Task } from '@dmabuf-lab/core/base';
import type { Fence } from '@dmabuf-lab/core/sync';
import type { Process } from '../../../kernel/process.js';
import type { DrmFile } from '../drm-file.js';
import type { GemObject } from '../gem-object.js';
import type { FramebufferCommand } from './framebuffers.js';
import type { Mode } from './mode.js';
import type { PipeChange, PipeState } from './pipe-state.js';

export interface DisplayDriver {
  /** Of struct drm_driver. */
  readonly name: string;
  /** Framebuffers are at least so wide and so high. */
  readonly leastPixels: number;
  readonly mostPixels: number;
  /** Takes the modifiers of ADDFB2. Source: not fb_modifiers_not_supported. */
  readonly takesModifiers: boolean;
  /** What the primary plane can show. */
  readonly planeFormats: readonly number[];
  /** The CRTC cannot be on while the primary plane is off. Source: drm_atomic_helper_check_crtc_primary_plane. */
  readonly needsPrimaryPlane: boolean;
  /** The plane can be changed while the CRTC is off. Source: drm_atomic_helper_check_plane_state, can_update_disabled. */
  readonly updatesDisabledPlane: boolean;
  /** Has DRM_IOCTL_MODE_DIRTYFB. */
  readonly hasDirty: boolean;
  /** Modes whose picture takes more memory are not valid. Source: drm_vram_helper_mode_valid. */
  readonly mostModeBytes: number;
  /** Of the connector, in the order that it lists them. */
  readonly modes: readonly Mode[];
  /** DRM_MODE_ENCODER_*. */
  readonly encoderType: number;
  readonly connectorTypeId: number;
  /** In the order that ids are given in. */
  readonly objectOrder: readonly ModeObjectName[];
  /** Knows where the hot spot of a cursor is. Source: DRIVER_CURSOR_HOTSPOT. */
  readonly hasCursorHotspot: boolean;
  /** Damage of a plane can be told in the atomic ioctl. */
  readonly hasDamageClips: boolean;
  /** Looks up the buffers of a framebuffer and checks what the driver checks. Source: fb_create. @returns them, held */
  buffersOf(file: DrmFile, command: FramebufferCommand, op: string): GemObject[];
  /**
   * Makes a buffer ready to be shown; may wait.
   *
   * @param willWait called just before it waits for the fences of that buffer
   * @throws ErrnoError ENOMEM
   * Source: prepare_fb.
   */
  pin?(object: GemObject, process: Process | undefined, willWait: () => void): Task<void>;
  /** Undoes it. Source: cleanup_fb. */
  unpin?(object: GemObject): void;
  /** Whether it can have a mode; absent = any that is valid. Source: mode_valid of struct drm_crtc_helper_funcs. */
  hasMode?(mode: Mode): boolean;
  /** Checks what the driver checks of a picture. Source: atomic_check of struct drm_plane_helper_funcs. @throws ErrnoError EINVAL */
  checkPlane?(next: PipeState, op: string): void;
  /** Carries out a change, until it is on the screen; absent = a change is there as soon as it is carried out. */
  commitTail?(tail: CommitTail): Task<void>;
  /** Vertical blanks so far; absent = it has none to count. Source: drm_crtc_vblank_count. */
  vblankCount?(): number;
}

/** A change that has been accepted. Source: atomic_commit_tail of struct drm_mode_config_helper_funcs, v6.12. */
export interface CommitTail {
  readonly change: PipeChange;
  /** Of the buffers, and the in-fence: all have signalled. */
  readonly fences: readonly Fence[];
  /** When it was asked for. */
  readonly requestedNs: Nanoseconds;
}

/** Objects of a display, and ids that are taken beside them. */
export type ModeObjectName = 'connector' | 'edid' | 'plane' | 'inFormats' | 'crtc' | 'encoder' | 'cursor';
