/** The parts of a DRM driver that every display has. Source: drm_file.c, drm_client_modeset.c, drm_fb_helper.c, v6.12. */
import type { Task } from '@dmabuf-lab/core/base';
import { DRM_CAP } from '../../../abi/drm.js';
import { DRM_IOCTL_SET_CLIENT_CAP } from '../../../abi/drm-mode.js';
import type { DrmDevice, DrmDriver } from '../drm-device.js';
import { GemObject } from '../gem-object.js';
import { type DrmIoctl, drmIoctl } from '../ioctl-table.js';
import { atomicIoctl } from './atomic.js';
import { crtcIoctls, pictureState, setConfiguration, useMode } from './crtc.js';
import { DRM_FORMAT_XRGB8888 } from './format-info.js';
import { framebufferIoctls, releaseFramebuffers } from './framebuffer-ioctls.js';
import { Framebuffer } from './framebuffers.js';
import type { KmsDevice } from './kms-device.js';
import { KmsFile, kmsFileOf, setClientCap } from './kms-file.js';
import { propertyIoctls } from './object-properties.js';
import { pageFlipIoctl } from './page-flip.js';
import { resourceIoctls } from './resources.js';

/** Width and height of a cursor, as far as a driver does not say. Source: drm_getcap. */
const CURSOR_PIXELS = 64;
const BYTES_PER_PIXEL = 4;

export type KmsDriverPart = Required<Pick<DrmDriver, 'hasModeSetting' | 'opened' | 'closed' | 'lastClosed'>> & {
  readonly ioctls: ReadonlyMap<number, DrmIoctl>;
};

/** What opens, closes and talks to a display. */
export function kmsDriverPart(kms: KmsDevice): KmsDriverPart {
  return {
    hasModeSetting: true,
    ioctls: new Map([
      drmIoctl(DRM_IOCTL_SET_CLIENT_CAP, 0, (call) => setClientCap(kms.display, call)),
      ...resourceIoctls(kms),
      ...crtcIoctls(kms),
      ...framebufferIoctls(kms),
      ...propertyIoctls(kms),
      pageFlipIoctl(kms),
      atomicIoctl(kms),
    ]),
    opened: (file) => {
      file.driverData = new KmsFile();
    },
    closed: (file) => {
      kms.kernel.startNow('drm_fb_release', releaseFramebuffers(kms, file));
      for (const blob of kmsFileOf(file).blobs) blob.drop();
    },
    lastClosed: () => {
      if (kms.console !== undefined) kms.kernel.startNow('drm_lastclose', showConsole(kms, kms.console));
    },
  };
}

/** Source: drm_getcap. @returns undefined for a capability that there is not */
export function kmsCapability(capability: number, preferredDepth: number, takesModifiers: boolean): number | undefined {
  const values = new Map<number, number>([
    [DRM_CAP.DUMB_BUFFER, 1],
    [DRM_CAP.VBLANK_HIGH_CRTC, 1],
    [DRM_CAP.DUMB_PREFERRED_DEPTH, preferredDepth],
    [DRM_CAP.DUMB_PREFER_SHADOW, 0],
    [DRM_CAP.ASYNC_PAGE_FLIP, 0],
    [DRM_CAP.CURSOR_WIDTH, CURSOR_PIXELS],
    [DRM_CAP.CURSOR_HEIGHT, CURSOR_PIXELS],
    [DRM_CAP.ADDFB2_MODIFIERS, takesModifiers ? 1 : 0],
    [DRM_CAP.PAGE_FLIP_TARGET, 0],
    [DRM_CAP.CRTC_IN_VBLANK_EVENT, 1],
    [DRM_CAP.ATOMIC_ASYNC_PAGE_FLIP, 0],
  ]);
  return values.get(capability);
}

/** Makes the picture of the text console, and shows it. Source: drm_fb_helper_initial_config. */
export function addConsole(kms: KmsDevice, device: DrmDevice): void {
  const [{ hdisplay: width, vdisplay: height }] = kms.display.modes;
  const stride = width * BYTES_PER_PIXEL;
  const buffer = new GemObject(device, stride * height, device.kernel.pages);
  kms.console = new Framebuffer(
    kms.objects,
    {
      fb_id: 0,
      width,
      height,
      pixel_format: DRM_FORMAT_XRGB8888,
      flags: 0,
      handles: [0, 0, 0, 0],
      pitches: [stride, 0, 0, 0],
      offsets: [0, 0, 0, 0],
      modifier: [0n, 0n, 0n, 0n],
    },
    [buffer],
  );
  kms.kernel.startNow('the console', showConsole(kms, kms.console));
}

/** Source: drm_client_modeset_commit. */
function* showConsole(kms: KmsDevice, framebuffer: Framebuffer): Task<void> {
  yield* kms.locked(undefined, function* (): Task<void> {
    const [preferred] = kms.display.modes;
    const mode = useMode(kms, preferred);
    try {
      yield* setConfiguration(kms, pictureState({ mode: preferred, framebuffer }, mode, 0, 0), 'drm_lastclose');
    } finally {
      mode.blob.drop();
    }
  });
}
