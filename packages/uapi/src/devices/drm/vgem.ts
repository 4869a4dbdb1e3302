/** vgem: GEM objects without hardware, and fences that user space signals. Source: drivers/gpu/drm/vgem, v6.12. */
import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
import { Fence, ResvUsage, usageToWaitFor } from '@dmabuf-lab/core/sync';
import {
  DRM_IOCTL_VGEM_FENCE_ATTACH,
  DRM_IOCTL_VGEM_FENCE_SIGNAL,
  VGEM_FENCE,
  type vgemFenceAttach,
  type vgemFenceSignal,
} from '../../abi/vgem.js';
import type { SimulatedKernel } from '../../kernel/kernel.js';
import { addFences } from '../../kernel/reservations.js';
import { DrmDevice, type DrmDriver } from './drm-device.js';
import type { DrmFile } from './drm-file.js';
import { drmIoctl, PERMIT, type StructCall } from './ioctl-table.js';

/** A fence that nobody signals signals by itself. Source: VGEM_FENCE_TIMEOUT. */
const TIMEOUT_NS = 10_000_000_000;

interface VgemFence {
  readonly fence: Fence;
  readonly callOff: () => void;
}

/** Fences of an open file by number, which only grows; undefined = signalled by its owner. */
type VgemFences = Map<number, VgemFence | undefined>;

export function addVgemNodes(kernel: SimulatedKernel, primary: string, render: string): void {
  const driver: DrmDriver = {
    name: 'vgem',
    hasModeSetting: false,
    hasSyncobj: false,
    canImport: true,
    driverIoctls: 3,
    ioctls: new Map([
      drmIoctl(DRM_IOCTL_VGEM_FENCE_ATTACH, PERMIT.RENDER_ALLOW, attachFence),
      drmIoctl(DRM_IOCTL_VGEM_FENCE_SIGNAL, PERMIT.RENDER_ALLOW, signalFence),
    ]),
    opened: (file) => {
      const fences: VgemFences = new Map();
      file.driverData = fences;
    },
    closed: (file) => {
      for (const one of fencesOf(file).values()) if (one !== undefined) signal(kernel, one);
    },
  };
  new DrmDevice(kernel, driver).addNodes(primary, render);
}

const fencesOf = (file: DrmFile): VgemFences => file.driverData as VgemFences;

function signal(kernel: SimulatedKernel, { fence, callOff }: VgemFence): void {
  callOff();
  fence.signal();
  kernel.changed();
}

/** Source: vgem_fence_attach_ioctl. @throws ErrnoError EINVAL, ENOENT, EBUSY */
function* attachFence({ file, data }: StructCall<ReturnType<typeof vgemFenceAttach.decode>>): Task<void> {
  const op = DRM_IOCTL_VGEM_FENCE_ATTACH.name;
  const { kernel } = file.device;
  if ((data.flags & ~VGEM_FENCE.WRITE) !== 0 || data.pad !== 0) {
    throw new ErrnoError('EINVAL', op, `Cannot attach a fence: flags ${data.flags}, pad ${data.pad}`);
  }
  const { reservation } = file.needObject(data.handle, op);
  const write = (data.flags & VGEM_FENCE.WRITE) !== 0;
  const context = kernel.fences.allocate();
  if (!reservation.testSignalled(usageToWaitFor(write))) {
    throw new ErrnoError('EBUSY', op, 'Cannot attach a fence: another one is pending');
  }
  const fence = new Fence({
    clock: kernel.fences.clock,
    context,
    seqno: 1,
    driverName: 'vgem',
    timelineName: 'unbound',
  });
  const callOff = kernel.at(kernel.now() + TIMEOUT_NS, 'the time-out of a vgem fence', () => {
    fence.signal();
    kernel.changed();
  });
  yield* addFences(reservation, [fence], write ? ResvUsage.Write : ResvUsage.Read);
  const fences = fencesOf(file);
  data.out_fence = fences.size + 1;
  fences.set(data.out_fence, { fence, callOff });
}

/** Source: vgem_fence_signal_ioctl. @throws ErrnoError EINVAL, ENOENT, ETIMEDOUT */
function signalFence({ file, data }: StructCall<ReturnType<typeof vgemFenceSignal.decode>>): void {
  const op = DRM_IOCTL_VGEM_FENCE_SIGNAL.name;
  if (data.flags !== 0) throw new ErrnoError('EINVAL', op, `Cannot signal: flags ${data.flags}`);
  const fences = fencesOf(file);
  const one = fences.get(data.fence);
  if (one === undefined) throw new ErrnoError('ENOENT', op, `Cannot signal fence ${data.fence}: there is none`);
  fences.set(data.fence, undefined);
  const wasSignalled = one.fence.isSignalled();
  signal(file.device.kernel, one);
  if (wasSignalled) throw new ErrnoError('ETIMEDOUT', op, 'Cannot signal: the fence has timed out');
}
