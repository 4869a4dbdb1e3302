/** The objects and properties of a display by their names, as a program finds them. */
import type { Task } from '@dmabuf-lab/core/base';
import * as abi from '../abi/drm-mode.js';
import type { Process } from '../kernel/process.js';
import type { DisplayMode, OpenDisplay } from './display.js';

export type ObjectName = 'plane' | 'crtc' | 'connector';

/** A property of an object, and its new value. */
export type Setting = readonly [object: ObjectName, property: string, value: number | bigint];

const WORD = abi.idWord.size;
const KINDS: Readonly<Record<ObjectName, number>> = {
  plane: abi.DRM_MODE_OBJECT.PLANE,
  crtc: abi.DRM_MODE_OBJECT.CRTC,
  connector: abi.DRM_MODE_OBJECT.CONNECTOR,
};

/** Asks for all that is needed to set modes. The client is atomic already. @throws ErrnoError EOPNOTSUPP */
export function* readDisplayObjects(process: Process, fd: number): Task<Omit<OpenDisplay, 'fd'>> {
  const ids = yield* readIds(process, fd);
  const properties = new Map<string, number>();
  for (const object of ['plane', 'crtc', 'connector'] as const) {
    for (const id of yield* propertyIds(process, fd, ids[object], KINDS[object])) {
      const { name } = yield* process.command(fd, abi.DRM_IOCTL_MODE_GETPROPERTY, { prop_id: id });
      properties.set(`${object} ${name}`, id);
    }
  }
  return { ids, properties, modes: yield* readModes(process, fd, ids.connector) };
}

function* readIds(process: Process, fd: number): Task<OpenDisplay['ids']> {
  const words = new Uint8Array(3 * WORD);
  const at = process.user.put(words);
  try {
    yield* process.command(fd, abi.DRM_IOCTL_MODE_GETRESOURCES, {
      crtc_id_ptr: at,
      count_crtcs: 1,
      connector_id_ptr: at + BigInt(WORD),
      count_connectors: 1,
    });
    const planes = { plane_id_ptr: at + BigInt(2 * WORD), count_planes: 1 };
    yield* process.command(fd, abi.DRM_IOCTL_MODE_GETPLANERESOURCES, planes);
  } finally {
    process.user.drop(at);
  }
  const [crtc, connector, plane] = wordsOf(words);
  return { crtc, connector, plane };
}

function* propertyIds(process: Process, fd: number, obj_id: number, obj_type: number): Task<number[]> {
  const object = { obj_id, obj_type };
  const { count_props } = yield* process.command(fd, abi.DRM_IOCTL_MODE_OBJ_GETPROPERTIES, object);
  const ids = new Uint8Array(count_props * WORD);
  const props_ptr = process.user.put(ids);
  const prop_values_ptr = process.user.put(new Uint8Array(count_props * abi.valueWord.size));
  try {
    const room = { ...object, count_props, props_ptr, prop_values_ptr };
    yield* process.command(fd, abi.DRM_IOCTL_MODE_OBJ_GETPROPERTIES, room);
  } finally {
    process.user.drop(props_ptr);
    process.user.drop(prop_values_ptr);
  }
  return wordsOf(ids);
}

function* readModes(process: Process, fd: number, connector_id: number): Task<DisplayMode[]> {
  const { count_modes } = yield* process.command(fd, abi.DRM_IOCTL_MODE_GETCONNECTOR, { connector_id });
  const { size } = abi.drmModeModeinfo;
  const bytes = new Uint8Array(count_modes * size);
  const modes_ptr = process.user.put(bytes);
  try {
    yield* process.command(fd, abi.DRM_IOCTL_MODE_GETCONNECTOR, { connector_id, count_modes, modes_ptr });
  } finally {
    process.user.drop(modes_ptr);
  }
  return Array.from({ length: count_modes }, (_, i) => abi.drmModeModeinfo.decode(bytes.subarray(i * size)));
}

function wordsOf(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / WORD }, (_, i) => view.getUint32(i * WORD, true));
}

/** DRM_IOCTL_MODE_ATOMIC with names. @throws ErrnoError as the ioctl; TypeError for a property that there is not */
export function* atomicChange(
  process: Process,
  { fd, ids, properties }: OpenDisplay,
  flags: number,
  settings: readonly Setting[],
  userData = 0n,
): Task<void> {
  const property = ([object, name]: Setting): number => {
    const id = properties.get(`${object} ${name}`);
    if (id === undefined) throw new TypeError(`a ${object} of this display has no property ${name}`);
    return id;
  };
  const addresses: bigint[] = [];
  const put = (values: Uint32Array | BigUint64Array): bigint => {
    const address = process.user.put(new Uint8Array(values.buffer));
    addresses.push(address);
    return address;
  };
  try {
    yield* process.command(fd, abi.DRM_IOCTL_MODE_ATOMIC, {
      flags,
      count_objs: settings.length,
      objs_ptr: put(Uint32Array.from(settings, ([object]) => ids[object])),
      count_props_ptr: put(Uint32Array.from(settings, () => 1)),
      props_ptr: put(Uint32Array.from(settings, property)),
      prop_values_ptr: put(BigUint64Array.from(settings, ([, , value]) => BigInt.asUintN(64, BigInt(value)))),
      user_data: userData,
    });
  } finally {
    for (const address of addresses) process.user.drop(address);
  }
}
