/** Adding and removing framebuffers. Source: drivers/gpu/drm/drm_framebuffer.c, v6.12. */
import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
import * as abi from '../../../abi/drm-mode.js';
import type { DrmFile } from '../drm-file.js';
import { type DrmIoctl, drmIoctl, PERMIT, type StructCall } from '../ioctl-table.js';
import { commit } from './commit.js';
import { depthOf, formatInfo, legacyFormat } from './format-info.js';
import { checkFramebufferCommand, Framebuffer, type FramebufferCommand } from './framebuffers.js';
import type { KmsDevice } from './kms-device.js';
import { kmsFileOf } from './kms-file.js';
import { DARK, type PipeState } from './pipe-state.js';

export function framebufferIoctls(kms: KmsDevice): [number, DrmIoctl][] {
  return [
    drmIoctl(abi.DRM_IOCTL_MODE_ADDFB, 0, ({ file, data }) => {
      data.fb_id = addFramebuffer(kms, file, modernCommand(data), abi.DRM_IOCTL_MODE_ADDFB.name);
    }),
    drmIoctl(abi.DRM_IOCTL_MODE_ADDFB2, 0, ({ file, data }) => {
      data.fb_id = addFramebuffer(kms, file, data, abi.DRM_IOCTL_MODE_ADDFB2.name);
    }),
    drmIoctl(abi.DRM_IOCTL_MODE_RMFB, 0, function* ({ file, process, data }) {
      const op = abi.DRM_IOCTL_MODE_RMFB.name;
      const framebuffer = takeFromFile(file, needFramebuffer(kms, data.fb_id, op), op);
      yield* removeFramebuffer(kms, framebuffer, op, process);
    }),
    drmIoctl(abi.DRM_IOCTL_MODE_CLOSEFB, 0, ({ file, data }) => {
      const op = abi.DRM_IOCTL_MODE_CLOSEFB.name;
      if (data.pad !== 0) throw new ErrnoError('EINVAL', op, `Cannot close a framebuffer: pad is ${data.pad}`);
      takeFromFile(file, needFramebuffer(kms, data.fb_id, op), op).drop();
    }),
    drmIoctl(abi.DRM_IOCTL_MODE_GETFB, 0, (call) => getFramebuffer(kms, call)),
    drmIoctl(abi.DRM_IOCTL_MODE_DIRTYFB, PERMIT.MASTER, (call) => tellDirty(kms, call)),
  ];
}

/** @throws ErrnoError ENOENT */
export function needFramebuffer(kms: KmsDevice, id: number, op: string): Framebuffer {
  const framebuffer = kms.objects.find<Framebuffer>(id, abi.DRM_MODE_OBJECT.FB);
  if (framebuffer === undefined) throw new ErrnoError('ENOENT', op, `Cannot use framebuffer ${id}: there is none`);
  return framebuffer;
}

/** Source: drm_mode_addfb. @throws ErrnoError EINVAL */
function modernCommand(given: ReturnType<typeof abi.drmModeFbCmd.decode>): FramebufferCommand {
  const { width, height, bpp, depth } = given;
  const format = legacyFormat(bpp, depth);
  if (format === undefined) {
    const op = abi.DRM_IOCTL_MODE_ADDFB.name;
    throw new ErrnoError('EINVAL', op, `Cannot make a framebuffer: ${bpp} bits of depth ${depth} are no format`);
  }
  const first = (value: number): number[] => [value, 0, 0, 0];
  return {
    fb_id: 0,
    width,
    height,
    pixel_format: format,
    flags: 0,
    handles: first(given.handle),
    pitches: first(given.pitch),
    offsets: first(0),
    modifier: [0n, 0n, 0n, 0n],
  };
}

/** Source: drm_mode_addfb2. @returns the id */
function addFramebuffer(kms: KmsDevice, file: DrmFile, command: FramebufferCommand, op: string): number {
  checkFramebufferCommand(command, kms.display, op);
  const buffers = kms.display.buffersOf(file, command, op);
  const framebuffer = new Framebuffer(kms.objects, { ...command }, buffers);
  kmsFileOf(file).framebuffers.add(framebuffer);
  return framebuffer.id;
}

/** Takes a framebuffer away from the file that added it, with the file's reference. @throws ErrnoError ENOENT */
function takeFromFile(file: DrmFile, framebuffer: Framebuffer, op: string): Framebuffer {
  if (!kmsFileOf(file).framebuffers.delete(framebuffer)) {
    throw new ErrnoError('ENOENT', op, `Cannot remove framebuffer ${framebuffer.id}: it is another file's`);
  }
  return framebuffer;
}

/** Turns off what shows a framebuffer, and drops it. Source: drm_framebuffer_remove. */
function* removeFramebuffer(
  kms: KmsDevice,
  framebuffer: Framebuffer,
  op: string,
  process?: StructCall<unknown>['process'],
) {
  try {
    if (framebuffer.references > 1) {
      yield* kms.locked(process, function* (): Task<void> {
        if (kms.state.framebuffer === framebuffer) yield* turnOff(kms, op, process);
      });
    }
  } finally {
    framebuffer.drop();
  }
}

/** Turns the plane off, or the CRTC too where the driver needs that. Source: atomic_remove_fb. */
function* turnOff(kms: KmsDevice, op: string, process?: StructCall<unknown>['process']): Task<void> {
  const off: PipeState = { ...kms.state, framebuffer: undefined, isPlaneOn: false };
  const dark: PipeState = { ...DARK, source: off.source, target: off.target };
  const next = kms.display.needsPrimaryPlane ? dark : off;
  const change = { old: kms.state, next, touchesPlane: true, touchesCrtc: true, hasEvent: false, allowModeset: true };
  yield* commit(kms, { change, isNonblocking: false, op, ...(process !== undefined && { process }) });
}

/** Removes those of a file that is being closed. Source: drm_fb_release. */
export function* releaseFramebuffers(kms: KmsDevice, file: DrmFile): Task<void> {
  const { framebuffers } = kmsFileOf(file);
  const shown = [...framebuffers].filter((one) => one.references > 1);
  for (const one of framebuffers) if (one.references === 1) one.drop();
  framebuffers.clear();
  for (const one of shown) yield* removeFramebuffer(kms, one, 'drm_fb_release');
}

/** Source: drm_mode_getfb; whoever calls is root, and gets a handle. */
function getFramebuffer(kms: KmsDevice, { file, data }: StructCall<ReturnType<typeof abi.drmModeFbCmd.decode>>): void {
  const framebuffer = needFramebuffer(kms, data.fb_id, abi.DRM_IOCTL_MODE_GETFB.name);
  const { width, height, pitches: strides } = framebuffer.command;
  data.width = width;
  data.height = height;
  data.depth = depthOf(framebuffer.format);
  data.bpp = 8 * (formatInfo(framebuffer.format)?.blockBytes[0] ?? 0);
  data.pitch = strides[0];
  data.handle = file.createHandle(framebuffer.buffers[0]);
}

/** Source: drm_mode_dirtyfb_ioctl. @throws ErrnoError ENOENT, EINVAL, EFAULT, ENOSYS */
function tellDirty(
  kms: KmsDevice,
  { process, data }: StructCall<ReturnType<typeof abi.drmModeFbDirtyCmd.decode>>,
): void {
  const op = abi.DRM_IOCTL_MODE_DIRTYFB.name;
  const { num_clips: count, clips_ptr: clips } = data;
  needFramebuffer(kms, data.fb_id, op);
  const isPaired = (data.flags & abi.DRM_MODE_FB_DIRTY_ANNOTATE_COPY) === 0 || count % 2 === 0;
  if ((count === 0) !== (clips === 0n) || !isPaired || count > abi.DRM_MODE_FB_DIRTY_MAX_CLIPS) {
    throw new ErrnoError('EINVAL', op, `Cannot tell what changed: there are ${count} clips`);
  }
  process.user.read(clips, count * abi.drmClipRect.size, op);
  if (!kms.display.hasDirty) throw new ErrnoError('ENOSYS', op, `Cannot tell what changed: ${kms.display.name} cannot`);
}
