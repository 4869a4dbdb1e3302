/** What a submission asks for, checked as far as no lock is needed. */
import { ErrnoError } from '@dmabuf-lab/core/base';
import type { FrameFormat } from '@dmabuf-lab/core/driver';
import { type Fence, type SyncObject, unwrapFence } from '@dmabuf-lab/core/sync';
import { DRM_IOCTL_LAB_SUBMIT, type drmLabSubmit, LAB_SUBMIT } from '../../../abi/lab-gpu.js';
import { fenceOfDescriptor } from '../../../files/sync-file.js';
import type { StructCall } from '../../drm/ioctl-table.js';
import { fenceOfPoint, needSyncObject } from '../../drm/syncobj-ioctls.js';
import type { RenderDevice } from './render-device.js';
import { checkRoom, formatOf, type Surface, withStride } from './surface.js';

export type SubmitCall = StructCall<ReturnType<typeof drmLabSubmit.decode>>;

export interface RenderRequest {
  readonly source: Surface;
  readonly target: Surface | undefined;
  readonly isImplicit: boolean;
  /** Explicit fences to wait for, taken apart. */
  readonly inFences: readonly Fence[];
  readonly outSync: SyncObject | undefined;
  readonly wantsSyncFile: boolean;
}

const OP = DRM_IOCTL_LAB_SUBMIT.name;
const { NO_IMPLICIT, FENCE_FD_IN, FENCE_FD_OUT } = LAB_SUBMIT;
const KNOWN = NO_IMPLICIT | FENCE_FD_IN | FENCE_FD_OUT;

/**
 * Nothing is held and nothing has changed afterwards.
 *
 * @throws ErrnoError EINVAL for flags, pictures that the driver does not take or that do not fit, a descriptor that is no
 *   sync file, a point without a fence; ENOENT for handles; EMFILE
 * Source: etnaviv_ioctl_gem_submit, panfrost_lookup_bos, lima_gem_submit, v6.12.
 */
export function readRequest(device: RenderDevice, call: SubmitCall): RenderRequest {
  const { file, process, data } = call;
  if ((data.flags & ~KNOWN) !== 0 || data.pad !== 0) {
    throw refusal(`flags 0x${data.flags.toString(16)}, pad ${data.pad}`);
  }
  if (data.out_sync === 0 && data.out_point !== 0n) throw refusal('a point needs a sync object');
  if (data.in_sync === 0 && data.in_point !== 0n) throw refusal('a point needs a sync object');
  const { source, target } = readSurfaces(device, call);
  const outSync = data.out_sync === 0 ? undefined : needSyncObject(file, data.out_sync, OP);
  const inFences = readInFences(call);
  const wantsSyncFile = (data.flags & FENCE_FD_OUT) !== 0;
  if (wantsSyncFile) process.fds.reserve();
  return { source, target, isImplicit: (data.flags & NO_IMPLICIT) === 0, inFences, outSync, wantsSyncFile };
}

function readSurfaces(device: RenderDevice, call: SubmitCall): Pick<RenderRequest, 'source' | 'target'> {
  const { file, data } = call;
  const [offsetBytes, chromaOffsetBytes] = data.source_offsets;
  const format = formatOf(
    {
      pixelFormat: data.pixel_format,
      widthPixels: data.width,
      heightPixels: data.height,
      strideBytes: data.source_pitch,
      offsetBytes,
      chromaOffsetBytes,
    },
    OP,
  );
  const work = device.plan(format);
  if (work.problems.length > 0) throw refusal(work.problems.join('; '));
  const object = file.needObject(data.source_handle, OP);
  const source: Surface = { object, format, offsetBytes, write: work.isInPlace };
  checkRoom(source, OP);
  return { source, target: readTarget(work.target, source, call) };
}

function readTarget(format: FrameFormat | undefined, source: Surface, { file, data }: SubmitCall): Surface | undefined {
  const { target_handle: handle, target_pitch: strideBytes, target_offset: offsetBytes } = data;
  if (format === undefined) {
    if (handle === 0 && strideBytes === 0 && offsetBytes === 0) return undefined;
    throw refusal('there is a target, and the driver writes none');
  }
  const object = file.needObject(handle, OP);
  const target: Surface = { object, format: withStride(format, strideBytes, OP), offsetBytes, write: true };
  checkRoom(target, OP);
  if (object.reservation === source.object.reservation) throw refusal('source and target are one buffer');
  return target;
}

function readInFences({ file, process, data }: SubmitCall): Fence[] {
  const fences: Fence[] = [];
  if (data.in_sync !== 0) fences.push(fenceOfPoint(needSyncObject(file, data.in_sync, OP), data.in_point));
  if ((data.flags & FENCE_FD_IN) !== 0) {
    const fence = fenceOfDescriptor(process, data.fence_fd);
    if (fence === undefined) throw refusal(`descriptor ${data.fence_fd} is no sync file`);
    fences.push(fence);
  }
  return fences.flatMap((fence) => [...unwrapFence(fence)]);
}

const refusal = (why: string): ErrnoError => new ErrnoError('EINVAL', OP, `Cannot submit: ${why}`);
