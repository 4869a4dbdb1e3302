/** What a display has: CRTCs, connectors, encoders, planes. Source: drm_mode_config.c, drm_connector.c, drm_encoder.c, drm_plane.c, v6.12. */
import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
import * as abi from '../../../abi/drm-mode.js';
import { type DrmIoctl, drmIoctl, type StructCall } from '../ioctl-table.js';
import type { KmsDevice } from './kms-device.js';
import { kmsFileOf } from './kms-file.js';
import { visibleModes } from './mode.js';
import { writeProperties } from './object-properties.js';
import { writeIds } from './user-arrays.js';

/** DRM_MODE_CONNECTOR_VIRTUAL. */
const VIRTUAL_CONNECTOR = 15;
const CONNECTED = 1;
const SUBPIXEL_UNKNOWN = 1;
/** Of the display, as its EDID tells. */
const WIDTH_MM = 320;
const HEIGHT_MM = 200;

export function resourceIoctls(kms: KmsDevice): [number, DrmIoctl][] {
  return [
    drmIoctl(abi.DRM_IOCTL_MODE_GETRESOURCES, 0, (call) => getResources(kms, call)),
    drmIoctl(abi.DRM_IOCTL_MODE_GETENCODER, 0, (call) => getEncoder(kms, call)),
    drmIoctl(abi.DRM_IOCTL_MODE_GETCONNECTOR, 0, (call) => getConnector(kms, call)),
    drmIoctl(abi.DRM_IOCTL_MODE_GETPLANERESOURCES, 0, (call) => getPlaneResources(kms, call)),
    drmIoctl(abi.DRM_IOCTL_MODE_GETPLANE, 0, (call) => getPlane(kms, call)),
  ];
}

/** Source: drm_mode_getresources. */
function getResources(
  { ids, display }: KmsDevice,
  { file, process, data }: StructCall<ReturnType<typeof abi.drmModeCardRes.decode>>,
): void {
  const op = abi.DRM_IOCTL_MODE_GETRESOURCES.name;
  const framebuffers = [...kmsFileOf(file).framebuffers].map(({ id }) => id);
  writeIds(process, data.fb_id_ptr, data.count_fbs, framebuffers, op);
  writeIds(process, data.crtc_id_ptr, data.count_crtcs, [ids.crtc], op);
  writeIds(process, data.encoder_id_ptr, data.count_encoders, [ids.encoder], op);
  writeIds(process, data.connector_id_ptr, data.count_connectors, [ids.connector], op);
  data.count_fbs = framebuffers.length;
  data.count_crtcs = 1;
  data.count_encoders = 1;
  data.count_connectors = 1;
  data.min_width = display.leastPixels;
  data.max_width = display.mostPixels;
  data.min_height = display.leastPixels;
  data.max_height = display.mostPixels;
}

/** Source: drm_mode_getencoder. */
function* getEncoder(
  kms: KmsDevice,
  { process, data }: StructCall<ReturnType<typeof abi.drmModeGetEncoder.decode>>,
): Task<void> {
  const { ids, display } = kms;
  need(data.encoder_id, ids.encoder, abi.DRM_IOCTL_MODE_GETENCODER.name);
  yield* kms.locked(process, () => {
    data.crtc_id = kms.state.isConnected ? ids.crtc : 0;
    data.encoder_type = display.encoderType;
    data.possible_crtcs = 1;
    data.possible_clones = 1;
  });
}

/** Source: drm_mode_getconnector. */
function* getConnector(
  kms: KmsDevice,
  { file, process, data }: StructCall<ReturnType<typeof abi.drmModeGetConnector.decode>>,
): Task<void> {
  const op = abi.DRM_IOCTL_MODE_GETCONNECTOR.name;
  const { ids, display } = kms;
  need(data.connector_id, ids.connector, op);
  if (data.count_encoders > 0) writeIds(process, data.encoders_ptr, 1, [ids.encoder], op);
  data.count_encoders = 1;
  data.connector_type = VIRTUAL_CONNECTOR;
  data.connector_type_id = display.connectorTypeId;
  data.connection = CONNECTED;
  data.mm_width = WIDTH_MM;
  data.mm_height = HEIGHT_MM;
  data.subpixel = SUBPIXEL_UNKNOWN;
  const modes = visibleModes(display.modes, kmsFileOf(file).aspectRatio);
  if (data.count_modes >= modes.length) {
    for (const [i, mode] of modes.entries()) {
      const at = data.modes_ptr + BigInt(i * abi.drmModeModeinfo.size);
      process.user.writeStruct(at, abi.drmModeModeinfo, mode, op);
    }
  }
  data.count_modes = modes.length;
  yield* kms.locked(process, () => {
    data.encoder_id = kms.state.isConnected ? ids.encoder : 0;
    data.count_props = writeProperties(kms, ids.connector, { file, process, data }, op);
  });
}

/** Source: drm_mode_getplane_res: the primary plane is seen only by who asked for all planes. */
function getPlaneResources(
  { ids }: KmsDevice,
  { file, process, data }: StructCall<ReturnType<typeof abi.drmModeGetPlaneRes.decode>>,
): void {
  const planes = kmsFileOf(file).universalPlanes ? [ids.plane] : [];
  writeIds(process, data.plane_id_ptr, data.count_planes, planes, abi.DRM_IOCTL_MODE_GETPLANERESOURCES.name);
  data.count_planes = planes.length;
}

/** Source: drm_mode_getplane. */
function* getPlane(
  kms: KmsDevice,
  { process, data }: StructCall<ReturnType<typeof abi.drmModeGetPlane.decode>>,
): Task<void> {
  const op = abi.DRM_IOCTL_MODE_GETPLANE.name;
  const { ids, display } = kms;
  need(data.plane_id, ids.plane, op);
  yield* kms.locked(process, () => {
    data.crtc_id = kms.state.isPlaneOn ? ids.crtc : 0;
    data.fb_id = kms.state.framebuffer?.id ?? 0;
  });
  data.possible_crtcs = 1;
  data.gamma_size = 0;
  const { planeFormats } = display;
  if (data.count_format_types >= planeFormats.length) {
    writeIds(process, data.format_type_ptr, planeFormats.length, planeFormats, op);
  }
  data.count_format_types = planeFormats.length;
}

function need(given: number, known: number, op: string): void {
  if (given !== known) throw new ErrnoError('ENOENT', op, `Cannot use object ${given}: it is not there`);
}
