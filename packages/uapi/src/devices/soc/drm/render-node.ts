/**
 * The GPU of scenarios behind a render node: GEM, PRIME, sync objects, and jobs of its driver.
 *
 * Any driver with an input will do: what `plan` says of a picture decides whether a job needs a target, and of what size.
 *
 * Source: struct drm_driver of drivers for the GPUs of boards, such as drivers/gpu/drm/panfrost/panfrost_drv.c, v6.12.
 */
import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
import * as abi from '../../../abi/lab-gpu.js';
import type { SimulatedKernel } from '../../../kernel/kernel.js';
import { pageAligned } from '../../../kernel/pages.js';
import { DrmDevice, type DrmDriver } from '../../drm/drm-device.js';
import { GemObject } from '../../drm/gem-object.js';
import { drmIoctl, PERMIT, type StructCall } from '../../drm/ioctl-table.js';
import { releaseSyncObjects, syncobjIoctls } from '../../drm/syncobj-ioctls.js';
import { refuseUnbound, type SocDevice, type SocDeviceOptions, type SocHost } from '../soc-device.js';
import { RenderDevice } from './render-device.js';
import { RenderEntity } from './render-entity.js';
import { submit } from './render-submit.js';

export interface RenderNodeOptions extends SocDeviceOptions {
  /** Such as `/dev/dri/renderD130`. */
  readonly path: string;
}

/**
 * Puts a GPU, or any other driver that works on pictures, behind a render node.
 *
 * @throws ErrnoError EINVAL for a driver without an input
 */
export function addRenderNode(host: SocHost, options: RenderNodeOptions): SocDevice {
  const { kernel } = host;
  const { name, path, constraints, pages } = options;
  const device = new RenderDevice(host, options);
  const driver: DrmDriver = {
    name,
    exporterName: name,
    hasModeSetting: false,
    hasSyncobj: true,
    canImport: true,
    checksImported: true,
    ...(constraints && { constraints }),
    ...(pages && { pages }),
    driverIoctls: abi.LAB_GPU_IOCTLS,
    ioctls: new Map([
      ...syncobjIoctls,
      drmIoctl(abi.DRM_IOCTL_LAB_CREATE_BO, PERMIT.RENDER_ALLOW, createObject),
      drmIoctl(abi.DRM_IOCTL_LAB_MMAP_BO, PERMIT.RENDER_ALLOW, mapObject),
      drmIoctl(abi.DRM_IOCTL_LAB_SUBMIT, PERMIT.RENDER_ALLOW, (call) => submit(device, call)),
      drmIoctl(abi.DRM_IOCTL_LAB_WAIT_FENCE, PERMIT.RENDER_ALLOW, waitFence),
    ]),
    opened: (file) => {
      file.driverData = new RenderEntity(kernel, name);
    },
    closed: (file) => {
      releaseSyncObjects(file);
      leave(kernel, device, RenderEntity.of(file));
    },
  };
  const node = new DrmDevice(kernel, driver);
  node.addRenderNode(path);
  return {
    name,
    paths: [path],
    statistics: device.statistics,
    get isRunning() {
      return device.isRunning;
    },
    stop: () => device.queue.stop(),
    unbind(): void {
      refuseUnbound(name, node.isUnplugged);
      device.queue.giveUp();
      node.unplug();
    },
  };
}

/** What was submitted is done, unless the process was killed. Source: drm_sched_entity_flush. */
function leave(kernel: SimulatedKernel, device: RenderDevice, entity: RenderEntity): void {
  const wasKilled = entity.lastUser !== undefined && kernel.now() >= entity.lastUser.killedAtNs;
  if (wasKilled) device.queue.kill(entity);
}

/** Source: panfrost_ioctl_create_bo; the pages are there at once. @throws ErrnoError EINVAL, ENOMEM */
function createObject({ file, data }: StructCall<ReturnType<typeof abi.drmLabCreateBo.decode>>): void {
  const op = abi.DRM_IOCTL_LAB_CREATE_BO.name;
  if (data.size === 0 || data.flags !== 0 || data.pad !== 0) {
    throw new ErrnoError('EINVAL', op, `Cannot make an object of ${data.size} bytes, flags ${data.flags}`);
  }
  const object = new GemObject(file.device, pageAligned(data.size), file.device.pages);
  object.pages();
  data.handle = file.createHandle(object);
  object.drop();
}

/** Source: panfrost_ioctl_mmap_bo. @throws ErrnoError EINVAL, ENOENT */
function mapObject({ file, data }: StructCall<ReturnType<typeof abi.drmLabMmapBo.decode>>): void {
  const op = abi.DRM_IOCTL_LAB_MMAP_BO.name;
  if (data.flags !== 0) throw new ErrnoError('EINVAL', op, `Cannot map an object: flags ${data.flags}`);
  data.offset = BigInt(file.device.rangeOf(file.needObject(data.handle, op)));
}

/**
 * Source: etnaviv_gpu_wait_fence_interruptible. Differs: it tells what the job ended with.
 *
 * @throws ErrnoError EINVAL for a number that no job has had; EBUSY when it may not wait; ETIMEDOUT
 */
function* waitFence({ file, process, data }: StructCall<ReturnType<typeof abi.drmLabWaitFence.decode>>): Task<void> {
  const op = abi.DRM_IOCTL_LAB_WAIT_FENCE.name;
  const entity = RenderEntity.of(file);
  if ((data.flags & ~abi.LAB_WAIT.NONBLOCK) !== 0 || data.pad !== 0) {
    throw new ErrnoError('EINVAL', op, `Cannot wait: flags ${data.flags}, pad ${data.pad}`);
  }
  if (data.fence === 0 || data.fence > entity.lastNumber) {
    throw new ErrnoError('EINVAL', op, `Cannot wait for job ${data.fence}: the last one is ${entity.lastNumber}`);
  }
  data.status = entity.status(data.fence);
  if (data.status !== 0) return;
  if ((data.flags & abi.LAB_WAIT.NONBLOCK) !== 0) throw new ErrnoError('EBUSY', op, `Job ${data.fence} is not done`);
  const untilNs = Math.max(Number(data.timeout_nsec), 0);
  const look = (): number | undefined => entity.status(data.fence) || undefined;
  const status = yield* process.wait(look, untilNs, 'a job');
  if (status === undefined) throw new ErrnoError('ETIMEDOUT', op, `Job ${data.fence} is not done in time`);
  data.status = status;
}
