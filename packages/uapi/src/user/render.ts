/** What a program does with the GPU of a scenario. The ioctls are those of `abi/lab-gpu.ts`. */
import type { Nanoseconds, Task } from '@dmabuf-lab/core/base';
import { MAP, PROT } from '../abi/fcntl.js';
import * as abi from '../abi/lab-gpu.js';
import { fourcc } from '../devices/drm/kms/format-info.js';
import type { Process } from '../kernel/process.js';

/** A GEM object of a render node. */
export interface RenderBuffer {
  readonly handle: number;
  readonly sizeBytes: number;
}

/** A picture in an object. */
export interface RenderSource {
  readonly handle: number;
  readonly format: 'NV12' | 'AB24';
  readonly widthPixels: number;
  readonly heightPixels: number;
  readonly strideBytes: number;
  /** Whole pages; 0 when absent. */
  readonly offsetBytes?: number;
  /** Of NV12; right behind the rows of luma when absent. */
  readonly chromaOffsetBytes?: number;
}

export interface RenderTarget {
  readonly handle: number;
  readonly strideBytes: number;
  /** Whole pages; 0 when absent. */
  readonly offsetBytes?: number;
}

/** A sync object, or a point of its timeline. */
export interface SyncPointRef {
  readonly handle: number;
  /** Absent for a binary one. */
  readonly point?: bigint;
}

export interface RenderJobRequest {
  readonly source: RenderSource;
  /** Absent for a driver that draws into its source. */
  readonly target?: RenderTarget;
  /** Order it by the fences of the buffers; true when absent. */
  readonly implicit?: boolean;
  /** A sync file that has to be signalled before. */
  readonly inFence?: number;
  /** A sync object that has to be signalled before. */
  readonly waitFor?: SyncPointRef;
  /** A sync object that gets the job's fence. */
  readonly signal?: SyncPointRef;
  /** Ask for a sync file of the job. */
  readonly outFence?: boolean;
}

export interface SubmittedRender {
  /** For `waitRender`, in this open file. */
  readonly number: number;
  /** Descriptor of a sync file, if one was asked for. */
  readonly outFence: number | undefined;
}

/** @param sizeBytes rounded up to whole pages @throws ErrnoError EINVAL, ENOMEM */
export function* createRenderBuffer(process: Process, gpu: number, sizeBytes: number): Task<RenderBuffer> {
  const { handle } = yield* process.command(gpu, abi.DRM_IOCTL_LAB_CREATE_BO, { size: sizeBytes });
  return { handle, sizeBytes };
}

/** Maps it for reading and writing. @returns the address, for `process.memory` @throws ErrnoError ENOENT */
export function* mapRenderBuffer(process: Process, gpu: number, { handle, sizeBytes }: RenderBuffer): Task<number> {
  const { offset } = yield* process.command(gpu, abi.DRM_IOCTL_LAB_MMAP_BO, { handle });
  return process.mmap(gpu, BigInt(sizeBytes), offset, PROT.READ | PROT.WRITE, MAP.SHARED);
}

/**
 * Queues a job; it returns before the job is done.
 *
 * @throws ErrnoError EINVAL, ENOENT, EMFILE, ENOMEM, ENODEV; then nothing has been queued
 */
export function* submitRender(process: Process, gpu: number, request: RenderJobRequest): Task<SubmittedRender> {
  const { source, target, implicit = true, inFence, waitFor, signal, outFence = false } = request;
  const { NO_IMPLICIT, FENCE_FD_IN, FENCE_FD_OUT } = abi.LAB_SUBMIT;
  const flags =
    (implicit ? 0 : NO_IMPLICIT) | (inFence === undefined ? 0 : FENCE_FD_IN) | (outFence ? FENCE_FD_OUT : 0);
  const { fence, fence_fd } = yield* process.command(gpu, abi.DRM_IOCTL_LAB_SUBMIT, {
    flags,
    pixel_format: fourcc(source.format),
    width: source.widthPixels,
    height: source.heightPixels,
    source_handle: source.handle,
    source_pitch: source.strideBytes,
    source_offsets: offsetsOf(source),
    target_handle: target?.handle ?? 0,
    target_pitch: target?.strideBytes ?? 0,
    target_offset: target?.offsetBytes ?? 0,
    fence_fd: inFence ?? -1,
    in_sync: waitFor?.handle ?? 0,
    in_point: waitFor?.point ?? 0n,
    out_sync: signal?.handle ?? 0,
    out_point: signal?.point ?? 0n,
  });
  return { number: fence, outFence: outFence ? fence_fd : undefined };
}

function offsetsOf({ format, heightPixels, strideBytes, offsetBytes = 0, chromaOffsetBytes }: RenderSource): number[] {
  if (format !== 'NV12') return [offsetBytes, chromaOffsetBytes ?? 0];
  return [offsetBytes, chromaOffsetBytes ?? offsetBytes + strideBytes * heightPixels];
}

/**
 * Waits until a job is done.
 *
 * @param untilNs on the clock of the kernel; for ever when absent
 * @returns 1, or the negative errno that it ended with
 * @throws ErrnoError ETIMEDOUT, EINVAL when there is no such job
 */
export function* waitRender(process: Process, gpu: number, number: number, untilNs?: Nanoseconds): Task<number> {
  const timeout_nsec = untilNs === undefined ? 2n ** 63n - 1n : BigInt(untilNs);
  const { status } = yield* process.command(gpu, abi.DRM_IOCTL_LAB_WAIT_FENCE, { fence: number, timeout_nsec });
  return status;
}
