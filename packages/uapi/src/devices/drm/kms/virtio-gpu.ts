/** The display of virtio-gpu without a 3D renderer. Source: drivers/gpu/drm/virtio/virtgpu_display.c, v6.12. */
import { ErrnoError } from '@dmabuf-lab/core/base';
import type { SimulatedKernel } from '../../../kernel/kernel.js';
import { DrmDevice, type DrmDriver } from '../drm-device.js';
import type { DrmFile } from '../drm-file.js';
import type { GemObject } from '../gem-object.js';
import { releaseSyncObjects, syncobjIoctls } from '../syncobj-ioctls.js';
import type { DisplayDriver } from './display-driver.js';
import { DRM_FORMAT_ARGB8888, DRM_FORMAT_XRGB8888 } from './format-info.js';
import type { FramebufferCommand } from './framebuffers.js';
import { KmsDevice } from './kms-device.js';
import { addConsole, kmsCapability, kmsDriverPart } from './kms-driver.js';
import { ALL_MODES } from './mode.js';
import { virtioGpuIoctls } from './virtio-gpu-ioctls.js';

/** Source: XRES_MIN, XRES_MAX. */
const LEAST_PIXELS = 32;
const MOST_PIXELS = 8192;
/** Entries of the driver's table. */
const DRIVER_IOCTLS = 12;
const BYTES_PER_PIXEL = 4;

/** All addresses, in as many segments as there are. */
const CONSTRAINTS = {
  source: 'vp_modern_probe, drivers/virtio/virtio_pci_modern_dev.c, v6.12: DMA_BIT_MASK(64)',
};

const DISPLAY: DisplayDriver = {
  name: 'virtio_gpu',
  leastPixels: LEAST_PIXELS,
  mostPixels: MOST_PIXELS,
  takesModifiers: false,
  planeFormats: [DRM_FORMAT_XRGB8888],
  needsPrimaryPlane: false,
  updatesDisabledPlane: true,
  hasDirty: true,
  mostModeBytes: Number.POSITIVE_INFINITY,
  modes: ALL_MODES,
  encoderType: 5,
  connectorTypeId: 2,
  objectOrder: ['plane', 'cursor', 'cursor', 'cursor', 'crtc', 'connector', 'encoder', 'edid'],
  hasCursorHotspot: true,
  hasDamageClips: true,
  buffersOf,
};

/** Adds the nodes of such a device, which shows its console. */
export function addVirtioGpuNodes(kernel: SimulatedKernel, primary: string, render: string): void {
  const kms = new KmsDevice(kernel, DISPLAY);
  const part = kmsDriverPart(kms);
  const driver: DrmDriver = {
    ...part,
    ioctls: new Map([...part.ioctls, ...syncobjIoctls, ...virtioGpuIoctls]),
    closed: (file) => {
      part.closed(file);
      releaseSyncObjects(file);
    },
    name: DISPLAY.name,
    constraints: CONSTRAINTS,
    exporterName: DISPLAY.name,
    hasSyncobj: true,
    canImport: true,
    refusesImported: 'ENODEV',
    takesPagesAtOnce: true,
    driverIoctls: DRIVER_IOCTLS,
    capability: (capability) => kmsCapability(capability, 0, DISPLAY.takesModifiers),
    dumbPitch,
  };
  const device = new DrmDevice(kernel, driver);
  device.addNodes(primary, render);
  addConsole(kms, device);
}

/** Source: virtio_gpu_mode_dumb_create. @throws ErrnoError EINVAL */
function dumbPitch(width: number, bitsPerPixel: number): number {
  if (bitsPerPixel !== 8 * BYTES_PER_PIXEL) {
    throw new ErrnoError('EINVAL', 'virtio_gpu_mode_dumb_create', `Cannot make a dumb buffer: ${bitsPerPixel} bits`);
  }
  return width * BYTES_PER_PIXEL;
}

/** Source: virtio_gpu_user_framebuffer_create; whether the buffer is large enough is not looked at. @throws ErrnoError ENOENT, EINVAL */
function buffersOf(file: DrmFile, command: FramebufferCommand, op: string): GemObject[] {
  const { pixel_format: format, handles } = command;
  if (format !== DRM_FORMAT_XRGB8888 && format !== DRM_FORMAT_ARGB8888) {
    throw new ErrnoError('ENOENT', op, 'Cannot make a framebuffer: the device lacks the format');
  }
  const buffer = file.object(handles[0]);
  if (buffer === undefined) throw new ErrnoError('EINVAL', op, `Cannot use handle ${handles[0]}: there is none`);
  return [buffer.hold()];
}
