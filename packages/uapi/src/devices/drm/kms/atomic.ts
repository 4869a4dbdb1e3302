/**
 * The atomic ioctl: all changes of a display in one step, with fences in and out.
 *
 * Source: drm_mode_atomic_ioctl, prepare_signaling and complete_signaling, drivers/gpu/drm/drm_atomic_uapi.c, v6.12.
 */
import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
import type { Fence } from '@dmabuf-lab/core/sync';
import {
  DRM_IOCTL_MODE_ATOMIC,
  DRM_MODE_ATOMIC,
  DRM_MODE_PAGE_FLIP,
  descriptorWord,
  drmEventVblank,
  type drmModeAtomic,
} from '../../../abi/drm-mode.js';
import { O } from '../../../abi/fcntl.js';
import { SyncFileFile } from '../../../files/sync-file.js';
import { type DrmIoctl, drmIoctl, PERMIT, type StructCall } from '../ioctl-table.js';
import { AtomicDraft } from './atomic-draft.js';
import { type CommitRequest, commit } from './commit.js';
import type { KmsDevice } from './kms-device.js';
import { kmsFileOf } from './kms-file.js';
import { propertiesOf } from './object-properties.js';
import { checkChange, type PipeChange } from './pipe-state.js';
import { readId, readValue } from './user-arrays.js';

type AtomicCall = StructCall<ReturnType<typeof drmModeAtomic.decode>>;

const OP = DRM_IOCTL_MODE_ATOMIC.name;
const { TEST_ONLY, NONBLOCK, ALLOW_MODESET } = DRM_MODE_ATOMIC;
const { EVENT, ASYNC } = DRM_MODE_PAGE_FLIP;
const KNOWN = EVENT | ASYNC | TEST_ONLY | NONBLOCK | ALLOW_MODESET;

export const atomicIoctl = (kms: KmsDevice): [number, DrmIoctl] =>
  drmIoctl(DRM_IOCTL_MODE_ATOMIC, PERMIT.MASTER, (call) => atomic(kms, call));

/** @throws ErrnoError EINVAL, EFAULT, ENOENT, EBUSY, ENOSPC, ERANGE, ENOMEM, EMFILE */
function* atomic(kms: KmsDevice, call: AtomicCall): Task<void> {
  const { file, process, data } = call;
  if (!kmsFileOf(file).atomic) throw refusal('the client has not asked for the atomic interface');
  checkFlags(data);
  yield* kms.locked(process, function* (): Task<void> {
    const draft = collect(kms, call);
    const change = changeOf(draft, data.flags);
    if ((data.flags & TEST_ONLY) !== 0) return checkChange(change, kms.display, OP);
    yield* signalled(kms, call, draft, change);
  });
}

function checkFlags({ flags, reserved }: AtomicCall['data']): void {
  const isBad =
    (flags & ~KNOWN) !== 0 ||
    reserved !== 0n ||
    (flags & ASYNC) !== 0 ||
    ((flags & TEST_ONLY) !== 0 && (flags & EVENT) !== 0);
  if (isBad) throw refusal(`flags 0x${flags.toString(16)}, reserved ${reserved}`);
}

/** Reads the objects, their properties and the values. */
function collect(kms: KmsDevice, { process, data }: AtomicCall): AtomicDraft {
  const draft = new AtomicDraft(kms, process);
  let at = 0;
  for (let i = 0; i < data.count_objs; i += 1) {
    const object = readId(process, data.objs_ptr, i, OP);
    const known = propertiesOf(kms, object);
    if (known === undefined) throw missing(`there is no object ${object} with properties`);
    const count = readId(process, data.count_props_ptr, i, OP);
    for (let j = 0; j < count; j += 1) {
      const id = readId(process, data.props_ptr, at, OP);
      const property = known.find((one) => one.id === id);
      if (property === undefined) throw missing(`object ${object} has no property ${id}`);
      draft.set(object, property, readValue(process, data.prop_values_ptr, at, OP));
      at += 1;
    }
  }
  return draft;
}

function changeOf(draft: AtomicDraft, flags: number): PipeChange {
  const { old, next, touchesPlane, touchesCrtc, outFencePointer } = draft;
  const isTest = (flags & TEST_ONLY) !== 0;
  const hasEvent = touchesCrtc && !isTest && ((flags & EVENT) !== 0 || outFencePointer !== 0n);
  return { old, next, touchesPlane, touchesCrtc, hasEvent, allowModeset: (flags & ALLOW_MODESET) !== 0 };
}

/** Carries it out with what tells of its end; when it fails, nothing of that is left but -1 where a descriptor was to be. */
function* signalled(kms: KmsDevice, call: AtomicCall, draft: AtomicDraft, change: PipeChange): Task<void> {
  const { file, process, data } = call;
  const hasEvent = (data.flags & EVENT) !== 0;
  if (hasEvent && draft.touchesCrtc) file.reserveEvent(drmEventVblank.size, OP);
  let outFence: OutFence | undefined;
  try {
    outFence = draft.outFencePointer === 0n ? undefined : prepareOutFence(kms, call, draft.outFencePointer);
    if (hasEvent && !draft.touchesCrtc) throw refusal('there is no CRTC whose event could come');
    const request: CommitRequest = {
      change,
      isNonblocking: (data.flags & NONBLOCK) !== 0,
      op: OP,
      process,
      ...(draft.inFence !== undefined && { inFence: draft.inFence }),
      ...(outFence !== undefined && { outFence: outFence.fence }),
      ...(hasEvent && { event: { file, userData: data.user_data } }),
    };
    yield* commit(kms, request);
  } catch (error) {
    if (hasEvent && draft.touchesCrtc) file.cancelEvent(drmEventVblank.size);
    outFence?.cancel();
    throw error;
  }
}

/** A fence that user space has been given a descriptor of. */
interface OutFence {
  readonly fence: Fence;
  cancel(): void;
}

/** Source: setup_out_fence. @throws ErrnoError EMFILE, EFAULT */
function prepareOutFence(kms: KmsDevice, { process }: AtomicCall, pointer: bigint): OutFence {
  const fence = kms.createFence();
  process.fds.reserve();
  const fd = process.install(SyncFileFile.of(kms.kernel, fence), O.CLOEXEC);
  const cancel = (): void => {
    process.close(fd);
    process.user.writeStruct(pointer, descriptorWord, { value: -1 }, OP);
  };
  process.user.writeStruct(pointer, descriptorWord, { value: fd }, OP);
  return { fence, cancel };
}

const refusal = (why: string): ErrnoError => new ErrnoError('EINVAL', OP, `Cannot change the display: ${why}`);
const missing = (why: string): ErrnoError => new ErrnoError('ENOENT', OP, `Cannot change the display: ${why}`);
