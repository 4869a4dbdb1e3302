/** Reading properties and blobs. Source: drm_mode_object.c, drm_property.c, drm_atomic_uapi.c, v6.12. */
import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
import * as abi from '../../../abi/drm-mode.js';
import type { Process } from '../../../kernel/process.js';
import type { DrmFile } from '../drm-file.js';
import { type DrmIoctl, drmIoctl, type StructCall } from '../ioctl-table.js';
import { PropertyBlob } from './blob.js';
import type { KmsDevice } from './kms-device.js';
import { kmsFileOf } from './kms-file.js';
import * as properties from './properties.js';
import { PROPERTY, type Property } from './properties.js';
import { writeIds, writeValue } from './user-arrays.js';

const PRIMARY_PLANE = 1n;
const DPMS_OFF = 3n;
/** Longest blob. Source: drm_property_create_blob. */
const MOST_BLOB_BYTES = 0x7fff_ffff;

export function propertyIoctls(kms: KmsDevice): [number, DrmIoctl][] {
  return [
    drmIoctl(abi.DRM_IOCTL_MODE_OBJ_GETPROPERTIES, 0, (call) => getProperties(kms, call)),
    drmIoctl(abi.DRM_IOCTL_MODE_GETPROPERTY, 0, getProperty),
    drmIoctl(abi.DRM_IOCTL_MODE_GETPROPBLOB, 0, (call) => getBlob(kms, call)),
    drmIoctl(abi.DRM_IOCTL_MODE_CREATEPROPBLOB, 0, (call) => createBlob(kms, call)),
    drmIoctl(abi.DRM_IOCTL_MODE_DESTROYPROPBLOB, 0, (call) => destroyBlob(kms, call)),
  ];
}

/** @returns undefined for an object without properties */
export function propertiesOf({ ids, inFormats, display }: KmsDevice, object: number): readonly Property[] | undefined {
  switch (object) {
    case ids.crtc:
      return properties.CRTC_PROPERTIES;
    case ids.plane:
      return properties.planeProperties(inFormats !== undefined, display.hasDamageClips);
    case ids.connector:
      return properties.CONNECTOR_PROPERTIES;
    default:
      return undefined;
  }
}

/** Source: drm_atomic_plane_get_property, drm_atomic_crtc_get_property, drm_atomic_connector_get_property. */
function propertyValue(kms: KmsDevice, object: number, property: Property): bigint {
  const { ids, state } = kms;
  const { source, target } = state;
  const isOn = object === ids.plane ? state.isPlaneOn : state.isConnected;
  const values = new Map<Property, number | bigint | undefined>([
    [PROPERTY.edid, kms.edid?.id],
    [PROPERTY.dpms, state.isActive ? 0 : DPMS_OFF],
    [PROPERTY.type, PRIMARY_PLANE],
    [PROPERTY.sourceX, source.x],
    [PROPERTY.sourceY, source.y],
    [PROPERTY.sourceWidth, source.width],
    [PROPERTY.sourceHeight, source.height],
    [PROPERTY.targetX, target.x],
    [PROPERTY.targetY, target.y],
    [PROPERTY.targetWidth, target.width],
    [PROPERTY.targetHeight, target.height],
    [PROPERTY.framebuffer, state.framebuffer?.id],
    [PROPERTY.inFence, -1],
    [PROPERTY.crtc, isOn ? ids.crtc : 0],
    [PROPERTY.active, state.isActive ? 1 : 0],
    [PROPERTY.mode, state.mode?.blob.id],
    [PROPERTY.inFormats, kms.inFormats?.id],
  ]);
  return BigInt(values.get(property) ?? 0);
}

/** Where a client wants its properties. */
interface PropertyRoom {
  readonly file: DrmFile;
  readonly process: Process;
  readonly data: { readonly props_ptr: bigint; readonly prop_values_ptr: bigint; readonly count_props: number };
}

/** Source: drm_mode_object_get_properties. @returns how many there are */
export function writeProperties(
  kms: KmsDevice,
  object: number,
  { file, process, data }: PropertyRoom,
  op: string,
): number {
  const isAtomicClient = kmsFileOf(file).atomic;
  const shown = (propertiesOf(kms, object) ?? []).filter((one) => isAtomicClient || !properties.isAtomic(one));
  const fitting = shown.slice(0, data.count_props);
  for (const [i, property] of fitting.entries()) {
    writeIds(process, data.props_ptr + BigInt(i * abi.idWord.size), 1, [property.id], op);
    writeValue(process, data.prop_values_ptr, i, propertyValue(kms, object, property), op);
  }
  return shown.length;
}

/** Source: drm_mode_obj_get_properties_ioctl. @throws ErrnoError ENOENT, EINVAL, EFAULT */
function* getProperties(
  kms: KmsDevice,
  { file, process, data }: StructCall<ReturnType<typeof abi.drmModeObjGetProperties.decode>>,
): Task<void> {
  const op = abi.DRM_IOCTL_MODE_OBJ_GETPROPERTIES.name;
  const entry = kms.objects.get(data.obj_id);
  const isKind = data.obj_type === abi.DRM_MODE_OBJECT.ANY || data.obj_type === entry?.kind;
  if (entry === undefined || !isKind) {
    throw new ErrnoError('ENOENT', op, `Cannot read properties: there is no object ${data.obj_id} of that kind`);
  }
  if (propertiesOf(kms, data.obj_id) === undefined) {
    throw new ErrnoError('EINVAL', op, `Cannot read properties: object ${data.obj_id} has none`);
  }
  yield* kms.locked(process, () => {
    data.count_props = writeProperties(kms, data.obj_id, { file, process, data }, op);
  });
}

/** Source: drm_mode_getproperty_ioctl. @throws ErrnoError ENOENT, EFAULT */
function getProperty({ process, data }: StructCall<ReturnType<typeof abi.drmModeGetProperty.decode>>): void {
  const op = abi.DRM_IOCTL_MODE_GETPROPERTY.name;
  const property = properties.propertyOf(data.prop_id);
  if (property === undefined) throw new ErrnoError('ENOENT', op, `Cannot tell: there is no property ${data.prop_id}`);
  const { values, names = [] } = property;
  data.name = property.name;
  data.flags = property.flags;
  for (const [i, value] of values.slice(0, data.count_values).entries()) {
    writeValue(process, data.values_ptr, i, value, op);
  }
  if (data.count_enum_blobs >= names.length) {
    for (const [i, name] of names.entries()) {
      const at = data.enum_blob_ptr + BigInt(i * abi.drmModePropertyEnum.size);
      process.user.writeStruct(at, abi.drmModePropertyEnum, { value: values[i], name }, op);
    }
  }
  data.count_values = values.length;
  data.count_enum_blobs = names.length;
}

/** @throws ErrnoError ENOENT */
function needBlob(kms: KmsDevice, id: number, op: string): PropertyBlob {
  const blob = kms.objects.find<PropertyBlob>(id, abi.DRM_MODE_OBJECT.BLOB);
  if (blob === undefined) throw new ErrnoError('ENOENT', op, `Cannot use blob ${id}: there is none`);
  return blob;
}

/** Source: drm_mode_getblob_ioctl. @throws ErrnoError ENOENT, EFAULT */
function getBlob(kms: KmsDevice, { process, data }: StructCall<ReturnType<typeof abi.drmModeGetBlob.decode>>): void {
  const op = abi.DRM_IOCTL_MODE_GETPROPBLOB.name;
  const { bytes } = needBlob(kms, data.blob_id, op);
  if (data.length === bytes.length) process.user.write(data.data, bytes, op);
  data.length = bytes.length;
}

/** Source: drm_mode_createblob_ioctl. @throws ErrnoError EINVAL, EFAULT */
function createBlob(
  kms: KmsDevice,
  { file, process, data }: StructCall<ReturnType<typeof abi.drmModeCreateBlob.decode>>,
): void {
  const op = abi.DRM_IOCTL_MODE_CREATEPROPBLOB.name;
  if (data.length === 0 || data.length > MOST_BLOB_BYTES) {
    throw new ErrnoError('EINVAL', op, `Cannot make a blob of ${data.length} bytes`);
  }
  const blob = new PropertyBlob(kms.objects, process.user.read(data.data, data.length, op));
  kmsFileOf(file).blobs.add(blob);
  data.blob_id = blob.id;
}

/** Source: drm_mode_destroyblob_ioctl. @throws ErrnoError ENOENT, EPERM */
function destroyBlob(
  kms: KmsDevice,
  { file, data }: StructCall<ReturnType<typeof abi.drmModeDestroyBlob.decode>>,
): void {
  const op = abi.DRM_IOCTL_MODE_DESTROYPROPBLOB.name;
  const blob = needBlob(kms, data.blob_id, op);
  if (!kmsFileOf(file).blobs.delete(blob)) {
    throw new ErrnoError('EPERM', op, `Cannot remove blob ${data.blob_id}: this file has not made it`);
  }
  blob.drop();
}
