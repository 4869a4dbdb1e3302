/**
 * Submission of a job: fences are collected and published under the locks of its buffers, then the queue has it.
 *
 * Source: etnaviv_ioctl_gem_submit, v3d_submit_cl_ioctl, drm_sched_job_add_implicit_dependencies, v6.12.
 */
import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
import { DmaBufCaller } from '@dmabuf-lab/core/dma-buf';
import { type Fence, ResvUsage, usageToWaitFor } from '@dmabuf-lab/core/sync';
import { O } from '../../../abi/fcntl.js';
import { DRM_IOCTL_LAB_SUBMIT } from '../../../abi/lab-gpu.js';
import { waitAs } from '../../../files/dma-buf-cpu.js';
import { SyncFileFile } from '../../../files/sync-file.js';
import { fencesOn } from '../../../kernel/reservations.js';
import { giveFence } from '../../drm/syncobj-ioctls.js';
import type { RenderDevice } from './render-device.js';
import { RenderEntity } from './render-entity.js';
import { RenderJob } from './render-job.js';
import { type RenderRequest, readRequest, type SubmitCall } from './render-request.js';
import type { Surface } from './surface.js';

const OP = DRM_IOCTL_LAB_SUBMIT.name;

/** @throws ErrnoError as `readRequest`; ENODEV when the driver has ended; ENOMEM, and what exporters say; then nothing has changed */
export function* submit(device: RenderDevice, call: SubmitCall): Task<void> {
  if (device.queue.hasEnded)
    throw new ErrnoError('ENODEV', OP, `Cannot submit: the driver of ${device.name} has ended`);
  const request = readRequest(device, call);
  const surfaces = request.target === undefined ? [request.source] : [request.source, request.target];
  for (const { object } of surfaces) object.hold();
  let isSubmitted = false;
  const caller = new DmaBufCaller(device.name);
  const reservations = surfaces.map(({ object }) => object.reservation);
  try {
    for (const { object } of surfaces) yield* object.makeReachable();
    yield* caller.lockAll(reservations);
    try {
      for (const { object } of surfaces) yield* object.mapForDevice(caller, waitAs(call.process));
      for (const reservation of reservations) reservation.reserveFences(1);
      publish(device, call, request);
      isSubmitted = true;
    } finally {
      for (const reservation of reservations) caller.unlock(reservation);
    }
  } finally {
    if (!isSubmitted) for (const { object } of surfaces) object.drop();
  }
}

/** All that can fail is that there is no descriptor for the sync file, and that comes first. Context: the reservations are locked. */
function publish(device: RenderDevice, { file, process, data }: SubmitCall, request: RenderRequest): void {
  const { kernel, contents } = device.host;
  const { source, target, isImplicit, inFences, outSync, wantsSyncFile } = request;
  const entity = RenderEntity.of(file);
  if (wantsSyncFile) process.fds.reserve();
  const writers = [...inFences, ...pendingOn(source, isImplicit, ResvUsage.Write)];
  const users = target === undefined ? [] : pendingOn(target, isImplicit, usageToWaitFor(true));
  if (source.write) users.push(...pendingOn(source, isImplicit, usageToWaitFor(true)));
  const path = kernel.fenceContract.path(`${device.name} job ${entity.lastNumber + 1}`);
  const after = [...writers, ...users];
  for (const fence of after) path.mightWait(fence, 'drm_sched_entity_pop_job');
  const fence = entity.createFence();
  if (wantsSyncFile) data.fence_fd = process.install(SyncFileFile.of(kernel, fence), O.CLOEXEC);
  path.publish(fence, OP, after);
  for (const { object, write } of target === undefined ? [source] : [source, target]) {
    const access = write ? 'write' : 'read';
    kernel.syncAudit.goesAhead({ buffer: object.audited, who: device.name, op: OP, access });
  }
  addTo(source, isImplicit, fence);
  if (target !== undefined) addTo(target, isImplicit, fence);
  if (outSync !== undefined) giveFence(outSync, data.out_point, fence);
  kernel.syncAudit.published(fence);
  data.fence = fence.seqno;
  entity.lastUser = process;
  const job = { entity, fence, path, contents, trace: device.trace, source, target, writers, users };
  device.push(new RenderJob({ ...job, submittedNs: kernel.now() }));
}

/** Fences of moves are waited for in any case. Source: enum dma_resv_usage. */
function pendingOn({ object }: Surface, isImplicit: boolean, upTo: ResvUsage): Fence[] {
  return fencesOn(object.reservation, isImplicit ? upTo : ResvUsage.Kernel);
}

/** Source: dma_resv_add_fence; BOOKKEEP as for explicit synchronisation in enum dma_resv_usage. */
function addTo({ object, write }: Surface, isImplicit: boolean, fence: Fence): void {
  const implicit = write ? ResvUsage.Write : ResvUsage.Read;
  object.reservation.addFence(fence, isImplicit ? implicit : ResvUsage.Bookkeep);
}
