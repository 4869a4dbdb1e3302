/**
 * The display of scenarios behind a node: mode setting with one CRTC, one primary plane and one connector.
 *
 * A change is shown at a vblank of the driver's own clock. Any driver with an input that takes AB24 will do.
 *
 * Source: drivers/gpu/drm/vkms (vkms_drv.c, vkms_crtc.c, vkms_output.c), v6.12.
 */
import { ErrnoError, type Rate, type Task } from '@dmabuf-lab/core/base';
import { DmaBufCaller, waitUninterrupted } from '@dmabuf-lab/core/dma-buf';
import { PAGE_BYTES } from '../../../abi/fcntl.js';
import { waitAs } from '../../../files/dma-buf-cpu.js';
import type { Process } from '../../../kernel/process.js';
import { DrmDevice, type DrmDriver } from '../../drm/drm-device.js';
import type { DrmFile } from '../../drm/drm-file.js';
import type { GemObject } from '../../drm/gem-object.js';
import type { DisplayDriver } from '../../drm/kms/display-driver.js';
import { fourcc } from '../../drm/kms/format-info.js';
import type { FramebufferCommand } from '../../drm/kms/framebuffers.js';
import { gemBuffersOf } from '../../drm/kms/gem-framebuffer.js';
import { KmsDevice } from '../../drm/kms/kms-device.js';
import { kmsCapability, kmsDriverPart } from '../../drm/kms/kms-driver.js';
import type { PipeState } from '../../drm/kms/pipe-state.js';
import { refuseUnbound, type SocDevice, type SocDeviceOptions, type SocHost } from '../soc-device.js';
import { displayMode, hasRefresh } from './display-mode.js';
import { DisplayScreen } from './display-screen.js';

export interface DisplayNodeOptions extends SocDeviceOptions {
  /** Such as `/dev/dri/card3`. */
  readonly path: string;
  /** Of the mode that the connector lists; 1920 x 1080 when absent. Modes of other sizes can be set all the same. */
  readonly widthPixels?: number;
  readonly heightPixels?: number;
  /** Vblanks a second; the parameter `refresh` of the driver when absent, and 60 when it has none. */
  readonly refresh?: Rate;
}

const DRM_FORMAT_ABGR8888 = fourcc('AB24');
const FORMATS = [DRM_FORMAT_ABGR8888];
const MOST_PIXELS = 8192;
const PREFERRED_DEPTH = 32;
const STRIDE_ALIGN = 64;
/** DRM_MODE_ENCODER_VIRTUAL. */
const ENCODER_VIRTUAL = 5;
const SIXTY_HERTZ: Rate = { num: 60, den: 1 };

/**
 * Puts a display behind a node.
 *
 * @throws ErrnoError EINVAL for a driver without an input, or one that cannot show AB24
 */
export function addDisplayNode(host: SocHost, options: DisplayNodeOptions): SocDevice {
  const { name, path, widthPixels = 1920, heightPixels = 1080 } = options;
  const refresh = options.refresh ?? refreshOf(options.parameters) ?? SIXTY_HERTZ;
  const screen = new DisplayScreen(host, options, refresh);
  const mode = displayMode(widthPixels, heightPixels, refresh);
  const problems = screen.problems(mode);
  if (problems.length > 0) {
    throw new ErrnoError('EINVAL', 'addDisplayNode', `Cannot put ${name} behind a node: ${problems.join('; ')}`);
  }
  const display: DisplayDriver = {
    name,
    leastPixels: 1,
    mostPixels: MOST_PIXELS,
    takesModifiers: true,
    planeFormats: FORMATS,
    needsPrimaryPlane: true,
    updatesDisabledPlane: false,
    hasDirty: false,
    mostModeBytes: Number.POSITIVE_INFINITY,
    modes: [mode],
    encoderType: ENCODER_VIRTUAL,
    connectorTypeId: 1,
    objectOrder: ['plane', 'crtc', 'connector', 'encoder'],
    hasCursorHotspot: false,
    hasDamageClips: false,
    buffersOf,
    pin: (object, process) => pinFor(name, object, process),
    unpin: (object) => object.unpinForDevice(),
    hasMode: (given) => hasRefresh(given, refresh),
    checkPlane,
    commitTail: (tail) => screen.commitTail(tail),
    vblankCount: () => screen.vblanks,
  };
  const kms = new KmsDevice(host.kernel, display);
  const device = new DrmDevice(host.kernel, drmDriver(kms, options));
  device.addNodes(path);
  return {
    name,
    paths: [path],
    statistics: screen.statistics,
    get isRunning() {
      return screen.isRunning;
    },
    stop: () => screen.stop(),
    unbind(): void {
      refuseUnbound(name, device.isUnplugged);
      kms.isGone = true;
      screen.stop();
      device.unplug();
    },
  };
}

function drmDriver(kms: KmsDevice, { constraints, pages }: DisplayNodeOptions): DrmDriver {
  return {
    ...kmsDriverPart(kms),
    name: kms.display.name,
    exporterName: kms.display.name,
    hasSyncobj: false,
    canImport: true,
    checksImported: true,
    ...(constraints && { constraints }),
    ...(pages && { pages }),
    takesPagesAtOnce: true,
    driverIoctls: 0,
    capability: (capability) => kmsCapability(capability, PREFERRED_DEPTH, kms.display.takesModifiers),
    dumbPitch: (width, bitsPerPixel) => Math.ceil((width * Math.ceil(bitsPerPixel / 8)) / STRIDE_ALIGN) * STRIDE_ALIGN,
  };
}

/** The rate in the parameters of a driver, if it has one of that name. */
function refreshOf(parameters: unknown): Rate | undefined {
  const { refresh } = Object(parameters) as { readonly refresh?: Partial<Rate> };
  return refresh?.num !== undefined && refresh.den !== undefined ? { num: refresh.num, den: refresh.den } : undefined;
}

/** Source: drm_gem_fb_create; the device scans out from the start of a page. @throws ErrnoError EINVAL, ENOENT */
function buffersOf(file: DrmFile, command: FramebufferCommand, op: string): GemObject[] {
  if (command.offsets[0] % PAGE_BYTES !== 0) {
    throw new ErrnoError('EINVAL', op, `Cannot make a framebuffer: offset ${command.offsets[0]} is not whole pages`);
  }
  return gemBuffersOf(file, command, FORMATS, op);
}

/** The device shows a framebuffer from its corner on. */
function checkPlane({ source: { x, y } }: PipeState, op: string): void {
  if (x !== 0 || y !== 0) throw new ErrnoError('EINVAL', op, 'Cannot change the display: it cannot pan');
}

/** Maps an imported buffer, and has it stay where it is while it is shown. Source: prepare_fb; dma_buf_map_attachment, dma_buf_pin. */
function* pinFor(name: string, object: GemObject, process: Process | undefined): Task<void> {
  const caller = new DmaBufCaller(name);
  const wait = process === undefined ? waitUninterrupted : waitAs(process);
  yield* object.makeReachable();
  yield* caller.locked(object.reservation, () => object.pinForDevice(caller, wait));
}
