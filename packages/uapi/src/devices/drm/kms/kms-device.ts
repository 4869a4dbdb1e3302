/**
 * A display: its objects, what it shows, and the lock under which that changes.
 *
 * Source: struct drm_mode_config, include/drm/drm_mode_config.h, v6.12. One connector, one CRTC and one primary plane, as
 * bochs and virtio_gpu have.
 */
import type { Task } from '@dmabuf-lab/core/base';
import { Fence } from '@dmabuf-lab/core/sync';
import { DRM_MODE_OBJECT } from '../../../abi/drm-mode.js';
import type { SimulatedKernel } from '../../../kernel/kernel.js';
import type { Process } from '../../../kernel/process.js';
import { PropertyBlob } from './blob.js';
import type { DisplayDriver } from './display-driver.js';
import type { Framebuffer } from './framebuffers.js';
import { ModeObjects } from './mode-objects.js';
import { DARK, type PipeState } from './pipe-state.js';
import { LAST_PROPERTY_ID } from './properties.js';

/** Bytes of the EDID of a QEMU display. */
const EDID_BYTES = 256;

/** A change on its way. Source: struct drm_crtc_commit. */
export interface Commit {
  /** The picture is there, and whoever asked has been told. */
  isShown: boolean;
}

export class KmsDevice {
  readonly objects = new ModeObjects();
  readonly ids: Readonly<Record<'crtc' | 'plane' | 'connector' | 'encoder', number>>;
  readonly edid: PropertyBlob | undefined;
  readonly inFormats: PropertyBlob | undefined;
  /** What it shows while no file is open. */
  console: Framebuffer | undefined;
  /** What it shows, or is about to show. */
  state: PipeState = DARK;
  /** The newest change. */
  lastCommit: Commit = { isShown: true };
  /** Its driver has been unbound: a change that somebody waits for ends with ENODEV. */
  isGone = false;
  readonly #fenceContext: number;
  #fenceSeqno = 0;
  #isLocked = false;

  constructor(
    readonly kernel: SimulatedKernel,
    readonly display: DisplayDriver,
  ) {
    const { objects } = this;
    for (let id = 1; id <= LAST_PROPERTY_ID; id += 1) objects.add(DRM_MODE_OBJECT.PROPERTY, id);
    const ids = { crtc: 0, plane: 0, connector: 0, encoder: 0 };
    for (const name of display.objectOrder) {
      if (name === 'edid') this.edid = new PropertyBlob(objects, new Uint8Array(EDID_BYTES));
      else if (name === 'inFormats') this.inFormats = new PropertyBlob(objects, new Uint8Array(0));
      else if (name === 'cursor') objects.add(DRM_MODE_OBJECT.PLANE, undefined);
      else ids[name] = objects.add(KINDS[name], name);
    }
    this.ids = ids;
    this.#fenceContext = kernel.fences.allocate();
  }

  /** A fence on the time line of the CRTC. Source: drm_crtc_create_fence. */
  createFence(): Fence {
    this.#fenceSeqno += 1;
    const timeline = `CRTC:${this.ids.crtc}-crtc-0`;
    return new Fence({
      clock: this.kernel.fences.clock,
      context: this.#fenceContext,
      seqno: this.#fenceSeqno,
      driverName: this.display.name,
      timelineName: timeline,
    });
  }

  /** Does something with the modeset lock held. Source: drm_modeset_lock_all, v6.12. */
  *locked<T>(process: Process | undefined, body: () => Task<T> | T): Task<T> {
    yield* this.wait(process, () => (this.#isLocked ? undefined : true), 'the modeset lock');
    this.#isLocked = true;
    try {
      const started = body();
      return isTask(started) ? yield* started : started;
    } finally {
      this.#isLocked = false;
      this.kernel.changed();
    }
  }

  /** Waits until a look has a result. @param process whose end ends the wait; undefined = nobody's */
  *wait<T>(process: Process | undefined, look: () => T | undefined, what: string, untilNs = Number.POSITIVE_INFINITY) {
    const now = look();
    if (now !== undefined) return now;
    return process === undefined
      ? yield* this.kernel.wait(look, untilNs, what)
      : yield* process.wait(look, untilNs, what);
  }
}

const KINDS = {
  crtc: DRM_MODE_OBJECT.CRTC,
  plane: DRM_MODE_OBJECT.PLANE,
  connector: DRM_MODE_OBJECT.CONNECTOR,
  encoder: DRM_MODE_OBJECT.ENCODER,
};

function isTask<T>(value: T | Task<T>): value is Task<T> {
  return typeof value === 'object' && value !== null && 'next' in value;
}
