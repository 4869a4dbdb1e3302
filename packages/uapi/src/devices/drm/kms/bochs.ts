/** The display of QEMU's standard VGA. Source: drivers/gpu/drm/tiny/bochs.c, drm_gem_vram_helper.c, v6.12. */
import { PAGE_BYTES } from '../../../abi/fcntl.js';
import type { SimulatedKernel } from '../../../kernel/kernel.js';
import { DrmDevice, type DrmDriver } from '../drm-device.js';
import type { DisplayDriver } from './display-driver.js';
import { DRM_FORMAT_BGRX8888, DRM_FORMAT_XRGB8888 } from './format-info.js';
import { gemBuffersOf } from './gem-framebuffer.js';
import { KmsDevice } from './kms-device.js';
import { addConsole, kmsCapability, kmsDriverPart } from './kms-driver.js';
import { COMMON_MODES } from './mode.js';
import { VideoMemory } from './video-memory.js';

/** Of QEMU's device. */
const VIDEO_MEMORY_BYTES = 16 * 2 ** 20;
const MOST_PIXELS = 8192;
const PREFERRED_DEPTH = 24;
const FORMATS = [DRM_FORMAT_XRGB8888, DRM_FORMAT_BGRX8888];

/** What PCI gives a device whose driver asks for no more; it imports nothing that would have to keep to them. */
const CONSTRAINTS = {
  dmaMask: 2 ** 32 - 1,
  maxSegmentBytes: 65_536,
  segmentBoundaryMask: 2 ** 32 - 1,
  source: 'pci_setup_device and pci_device_add, drivers/pci/probe.c, v6.12',
};

/** Adds a node of such a device, which shows its console. */
export function addBochsNode(kernel: SimulatedKernel, path: string): void {
  const memory = new VideoMemory(kernel, VIDEO_MEMORY_BYTES / PAGE_BYTES);
  const display: DisplayDriver = {
    name: 'bochs-drm',
    leastPixels: 0,
    mostPixels: MOST_PIXELS,
    takesModifiers: true,
    planeFormats: FORMATS,
    needsPrimaryPlane: true,
    updatesDisabledPlane: false,
    hasDirty: false,
    mostModeBytes: VIDEO_MEMORY_BYTES / 2,
    modes: COMMON_MODES,
    encoderType: 0,
    connectorTypeId: 1,
    objectOrder: ['connector', 'edid', 'plane', 'inFormats', 'crtc', 'encoder'],
    hasCursorHotspot: false,
    hasDamageClips: false,
    buffersOf: (file, command, op) => gemBuffersOf(file, command, FORMATS, op),
    pin: (object, process, willWait) => memory.pin(object, willWait, process),
    unpin: (object) => memory.unpin(object),
  };
  const kms = new KmsDevice(kernel, display);
  const driver: DrmDriver = {
    ...kmsDriverPart(kms),
    name: display.name,
    constraints: CONSTRAINTS,
    hasSyncobj: false,
    canImport: false,
    canAttach: false,
    mappingsKeepObjects: false,
    driverIoctls: 0,
    capability: (capability) => kmsCapability(capability, PREFERRED_DEPTH, display.takesModifiers),
    dumbPitch: (width, bitsPerPixel) => width * Math.ceil(bitsPerPixel / 8),
    objectGone: (object) => memory.forget(object),
  };
  const device = new DrmDevice(kernel, driver);
  device.addNodes(path);
  addConsole(kms, device);
}
