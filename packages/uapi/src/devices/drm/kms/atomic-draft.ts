/**
 * A change that the atomic ioctl collects, property by property.
 *
 * Source: drm_atomic_set_property and what it calls, drivers/gpu/drm/drm_atomic_uapi.c, v6.12.
 */
import { ErrnoError } from '@dmabuf-lab/core/base';
import type { Fence } from '@dmabuf-lab/core/sync';
import { DRM_IOCTL_MODE_ATOMIC, DRM_MODE_OBJECT, descriptorWord, drmModeModeinfo } from '../../../abi/drm-mode.js';
import { fenceOfDescriptor } from '../../../files/sync-file.js';
import type { Process } from '../../../kernel/process.js';
import type { PropertyBlob } from './blob.js';
import { isUsable } from './crtc.js';
import type { Framebuffer } from './framebuffers.js';
import type { KmsDevice } from './kms-device.js';
import type { PipeState, Rectangle } from './pipe-state.js';
import { isBlob, isImmutable, isInRange, isObject, PROPERTY, type Property } from './properties.js';

const OP = DRM_IOCTL_MODE_ATOMIC.name;
const NO_FENCE = -1n;
/** Of a rectangle of damage. Source: struct drm_mode_rect. */
const CLIP_BYTES = 16;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Setter = (value: bigint) => void;

export class AtomicDraft {
  readonly old: PipeState;
  readonly next: Mutable<PipeState>;
  touchesPlane = false;
  touchesCrtc = false;
  inFence: Fence | undefined;
  /** Where the descriptor of the out-fence goes; 0 = nobody wants one. */
  outFencePointer = 0n;

  constructor(
    private readonly kms: KmsDevice,
    private readonly process: Process,
  ) {
    this.old = kms.state;
    this.next = { ...kms.state };
  }

  /** @throws ErrnoError EINVAL, EFAULT */
  set(object: number, property: Property, value: bigint): void {
    if (isImmutable(property) || !this.#isValid(property, value)) {
      throw refusal(`property ${property.name} cannot be ${value}`);
    }
    const { ids } = this.kms;
    if (object === ids.plane) this.#planeSetter(property)(value);
    else if (object === ids.crtc) this.#crtcSetter(property)(value);
    else this.#connectorSetter(property)(value);
  }

  /** Source: drm_property_change_valid_get. */
  #isValid(property: Property, value: bigint): boolean {
    if (isBlob(property)) return value === 0n || this.#blob(value) !== undefined;
    if (isObject(property)) {
      return value === 0n || this.kms.objects.find(Number(value), Number(property.values[0])) !== undefined;
    }
    return isInRange(property, value);
  }

  #blob(id: bigint): PropertyBlob | undefined {
    return this.kms.objects.find<PropertyBlob>(Number(id), DRM_MODE_OBJECT.BLOB);
  }

  /** Source: drm_atomic_plane_set_property. Who changes a plane changes the CRTC that it is on. */
  #planeSetter(property: Property): Setter {
    const { next } = this;
    this.touchesPlane = true;
    if (next.isPlaneOn) this.touchesCrtc = true;
    const source = (part: Partial<Rectangle>): void => {
      next.source = { ...next.source, ...part };
    };
    const target = (part: Partial<Rectangle>): void => {
      next.target = { ...next.target, ...part };
    };
    const setters = new Map<Property, Setter>([
      [PROPERTY.framebuffer, (value) => this.#setFramebuffer(value)],
      [PROPERTY.inFence, (value) => this.#setInFence(value)],
      [PROPERTY.crtc, (value) => this.#setPlaneOn(value !== 0n)],
      [PROPERTY.targetX, (value) => target({ x: Number(BigInt.asIntN(32, value)) })],
      [PROPERTY.targetY, (value) => target({ y: Number(BigInt.asIntN(32, value)) })],
      [PROPERTY.targetWidth, (value) => target({ width: Number(value) })],
      [PROPERTY.targetHeight, (value) => target({ height: Number(value) })],
      [PROPERTY.sourceX, (value) => source({ x: Number(value) })],
      [PROPERTY.sourceY, (value) => source({ y: Number(value) })],
      [PROPERTY.sourceWidth, (value) => source({ width: Number(value) })],
      [PROPERTY.sourceHeight, (value) => source({ height: Number(value) })],
      [PROPERTY.damageClips, (value) => this.#checkClips(value)],
    ]);
    return known(setters, property);
  }

  #setFramebuffer(id: bigint): void {
    this.next.framebuffer = this.kms.objects.find<Framebuffer>(Number(id), DRM_MODE_OBJECT.FB);
  }

  /** What has changed of the picture makes no difference here. Source: drm_property_replace_blob_from_id. */
  #checkClips(id: bigint): void {
    const length = this.#blob(id)?.bytes.length ?? 0;
    if (length % CLIP_BYTES !== 0) throw refusal(`a blob of ${length} bytes holds no rectangles`);
  }

  #setPlaneOn(on: boolean): void {
    this.next.isPlaneOn = on;
    if (on) this.touchesCrtc = true;
  }

  #setInFence(value: bigint): void {
    if (this.inFence !== undefined) throw refusal('the plane has an in-fence already');
    const fd = BigInt.asIntN(64, value);
    if (fd === NO_FENCE) return;
    this.inFence = fenceOfDescriptor(this.process, Number(fd));
    if (this.inFence === undefined) throw refusal(`descriptor ${fd} is no sync file`);
  }

  /** Source: drm_atomic_crtc_set_property. */
  #crtcSetter(property: Property): Setter {
    this.touchesCrtc = true;
    const setters = new Map<Property, Setter>([
      [
        PROPERTY.active,
        (value) => {
          this.next.isActive = value !== 0n;
        },
      ],
      [PROPERTY.mode, (value) => this.#setMode(value)],
      [PROPERTY.outFencePointer, (value) => this.#setOutFence(value)],
      [PROPERTY.variableRefresh, () => {}],
    ]);
    return known(setters, property);
  }

  /** Source: drm_atomic_set_mode_prop_for_crtc. */
  #setMode(id: bigint): void {
    const { next } = this;
    if (id === BigInt(next.mode?.blob.id ?? 0)) return;
    const blob = this.#blob(id);
    next.mode = undefined;
    if (blob === undefined) return;
    if (blob.bytes.length !== drmModeModeinfo.size) throw refusal('the blob is no mode');
    const mode = drmModeModeinfo.decode(blob.bytes);
    if (!isUsable(this.kms, mode)) throw refusal('the mode is not valid');
    next.mode = { mode, blob };
  }

  #setOutFence(pointer: bigint): void {
    if (pointer === 0n) return;
    this.process.user.writeStruct(pointer, descriptorWord, { value: -1 }, OP);
    this.outFencePointer = pointer;
  }

  /** Source: drm_atomic_connector_set_property. DPMS is set in another way. */
  #connectorSetter(property: Property): Setter {
    const setters = new Map<Property, Setter>([
      [PROPERTY.crtc, (value) => this.#connect(value !== 0n)],
      [PROPERTY.linkStatus, () => {}],
    ]);
    if (this.next.isConnected) this.touchesCrtc = true;
    return known(setters, property);
  }

  #connect(on: boolean): void {
    this.next.isConnected = on;
    if (on) this.touchesCrtc = true;
  }
}

function known(setters: ReadonlyMap<Property, Setter>, property: Property): Setter {
  const setter = setters.get(property);
  if (setter === undefined) throw refusal(`property ${property.name} cannot be set here`);
  return setter;
}

const refusal = (why: string): ErrnoError => new ErrnoError('EINVAL', OP, `Cannot change the display: ${why}`);
