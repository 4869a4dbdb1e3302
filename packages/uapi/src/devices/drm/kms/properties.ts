/**
 * The properties of a display's objects: what the atomic ioctl sets, and what can be read.
 *
 * Source: drm_mode_create_standard_properties in drm_mode_config.c, drm_atomic_uapi.c, drm_property.c, v6.12.
 */
import { DRM_MODE_OBJECT, DRM_MODE_PROP as KIND } from '../../../abi/drm-mode.js';

/** A property, the same for all objects that have it. */
export interface Property {
  readonly id: number;
  readonly name: string;
  /** DRM_MODE_PROP_*. */
  readonly flags: number;
  /** Least and most of a range, the kind of an object, or the values of an enumeration. */
  readonly values: readonly bigint[];
  /** Names of the values of an enumeration. */
  readonly names?: readonly string[];
}

/** Properties have the ids up to this one, as far as they are the same on every device. */
export const LAST_PROPERTY_ID = 31;

const U32_MAX = 0xffff_ffffn;
const U64_MAX = 0xffff_ffff_ffff_ffffn;
const S32: readonly bigint[] = [BigInt.asUintN(64, -(2n ** 31n)), 2n ** 31n - 1n];
/** Largest width of a plane on its CRTC. Source: INT_MAX. */
const S32_MAX = 2n ** 31n - 1n;

const range = (id: number, name: string, most: bigint, more: number = KIND.ATOMIC): Property => ({
  id,
  name,
  flags: KIND.RANGE + more,
  values: [0n, most],
});
const signed = (id: number, name: string, values: readonly bigint[] = S32): Property => ({
  id,
  name,
  flags: KIND.SIGNED_RANGE + KIND.ATOMIC,
  values,
});
const object = (id: number, name: string, kind: number): Property => ({
  id,
  name,
  flags: KIND.OBJECT + KIND.ATOMIC,
  values: [BigInt(kind)],
});
const enumeration = (id: number, name: string, names: readonly string[], more = 0): Property => ({
  id,
  name,
  flags: KIND.ENUM + more,
  values: names.map((_, i) => BigInt(i)),
  names,
});
const blob = (id: number, name: string, more: number): Property => ({ id, name, flags: KIND.BLOB + more, values: [] });

/** By what they mean; ids as a kernel gives them. */
export const PROPERTY = {
  edid: blob(1, 'EDID', KIND.IMMUTABLE),
  dpms: enumeration(2, 'DPMS', ['On', 'Standby', 'Suspend', 'Off']),
  tile: blob(4, 'TILE', KIND.IMMUTABLE),
  linkStatus: enumeration(5, 'link-status', ['Good', 'Bad']),
  nonDesktop: { id: 6, name: 'non-desktop', flags: KIND.RANGE + KIND.IMMUTABLE, values: [0n, 1n] },
  type: enumeration(8, 'type', ['Overlay', 'Primary', 'Cursor'], KIND.IMMUTABLE),
  sourceX: range(9, 'SRC_X', U32_MAX),
  sourceY: range(10, 'SRC_Y', U32_MAX),
  sourceWidth: range(11, 'SRC_W', U32_MAX),
  sourceHeight: range(12, 'SRC_H', U32_MAX),
  targetX: signed(13, 'CRTC_X'),
  targetY: signed(14, 'CRTC_Y'),
  targetWidth: range(15, 'CRTC_W', S32_MAX),
  targetHeight: range(16, 'CRTC_H', S32_MAX),
  framebuffer: object(17, 'FB_ID', DRM_MODE_OBJECT.FB),
  inFence: signed(18, 'IN_FENCE_FD', [U64_MAX, S32_MAX]),
  outFencePointer: range(19, 'OUT_FENCE_PTR', U64_MAX),
  crtc: object(20, 'CRTC_ID', DRM_MODE_OBJECT.CRTC),
  damageClips: blob(21, 'FB_DAMAGE_CLIPS', KIND.ATOMIC),
  active: range(22, 'ACTIVE', 1n),
  mode: blob(23, 'MODE_ID', KIND.ATOMIC),
  variableRefresh: range(24, 'VRR_ENABLED', 1n, 0),
  inFormats: blob(30, 'IN_FORMATS', KIND.IMMUTABLE),
} as const satisfies Record<string, Property>;

const P = PROPERTY;
/** In the order that they are listed in. */
export const CONNECTOR_PROPERTIES: readonly Property[] = [P.dpms, P.linkStatus, P.nonDesktop, P.tile, P.crtc, P.edid];
export const CRTC_PROPERTIES: readonly Property[] = [P.active, P.mode, P.outFencePointer, P.variableRefresh];
const PLANE_PROPERTIES: readonly Property[] = [
  P.type,
  P.framebuffer,
  P.inFence,
  P.crtc,
  P.targetX,
  P.targetY,
  P.targetWidth,
  P.targetHeight,
  P.sourceX,
  P.sourceY,
  P.sourceWidth,
  P.sourceHeight,
];
export const planeProperties = (hasInFormats: boolean, hasDamageClips: boolean): readonly Property[] => [
  ...PLANE_PROPERTIES,
  ...(hasInFormats ? [P.inFormats] : []),
  ...(hasDamageClips ? [P.damageClips] : []),
];

/** @returns undefined for an id that no property has */
export const propertyOf = (id: number): Property | undefined => Object.values<Property>(P).find((one) => one.id === id);

export const isAtomic = ({ flags }: Property): boolean => flags >= KIND.ATOMIC;
export const isImmutable = ({ flags }: Property): boolean => (flags & KIND.IMMUTABLE) !== 0;
const isKind = ({ flags }: Property, kind: number): boolean => (flags & kind) !== 0;
export const isBlob = (property: Property): boolean => isKind(property, KIND.BLOB);
export const isObject = (property: Property): boolean => isKind(property, KIND.OBJECT);

/** Whether a value is in the range, or of the enumeration. Objects and blobs are looked up elsewhere. Source: drm_property_change_valid_get. */
export function isInRange(property: Property, value: bigint): boolean {
  const [least, most] = property.values;
  if (isKind(property, KIND.RANGE)) return value >= least && value <= most;
  if (isKind(property, KIND.SIGNED_RANGE)) {
    const number = BigInt.asIntN(64, value);
    return number >= BigInt.asIntN(64, least) && number <= BigInt.asIntN(64, most);
  }
  return !isKind(property, KIND.ENUM) || property.values.includes(value);
}
