/**
 * How a display comes to show something else.
 *
 * Source: drm_atomic_helper_commit with drm_atomic_helper_setup_commit, drm_atomic_helper_prepare_planes,
 * drm_atomic_helper_wait_for_fences, drm_atomic_helper_swap_state and commit_tail, drm_atomic_helper.c, v6.12.
 *
 * A change is checked, its buffers are made ready, and fences are waited for: by the caller, or by a kernel thread when the
 * caller does not block. A device with vertical blanking then shows it at the next one (`commitTail`); for one without, a
 * change is shown as soon as it is carried out. Events and out-fences come when it is shown.
 *
 * Context: the caller holds the modeset lock.
 */
import { ErrnoError, sleepUntil, type Task } from '@dmabuf-lab/core/base';
import { type Fence, ResvUsage } from '@dmabuf-lab/core/sync';
import { DRM_EVENT, drmEventVblank } from '../../../abi/drm-mode.js';
import type { Process } from '../../../kernel/process.js';
import { fencesOn } from '../../../kernel/reservations.js';
import { type OverlongWait, watchWait } from '../../../kernel/sync-audit.js';
import type { DrmFile } from '../drm-file.js';
import type { GemObject } from '../gem-object.js';
import type { Framebuffer } from './framebuffers.js';
import type { Commit, KmsDevice } from './kms-device.js';
import { checkChange, dropState, holdState, type PipeChange } from './pipe-state.js';

/** How long a display takes when nobody waits for it: until a kernel thread runs, and the device has been told. */
const SHOW_NS = 100_000;
const NS_PER_S = 1_000_000_000;
const NS_PER_US = 1000;

/** Who wants to be told of a change. */
export interface PendingEvent {
  readonly file: DrmFile;
  readonly userData: bigint;
}

/** A change as it is asked for. */
export interface CommitRequest {
  readonly change: PipeChange;
  readonly isNonblocking: boolean;
  /** Waited for before anything is shown; of the fences of the buffers only those of the kernel count then. */
  readonly inFence?: Fence;
  readonly outFence?: Fence;
  readonly event?: PendingEvent;
  /** The caller, whose end ends a wait; absent = the kernel. */
  readonly process?: Process;
  readonly op: string;
}

/**
 * Carries out a change that has been checked.
 *
 * @throws ErrnoError EBUSY when it may not block and the last change is not shown yet; ENOMEM; ENODEV when the device is unbound
 *   meanwhile
 */
export function* commit(kms: KmsDevice, request: CommitRequest): Task<void> {
  const { change, isNonblocking, op } = request;
  const requestedNs = kms.kernel.now();
  checkChange(change, kms.display, op);
  if (isNonblocking && !kms.lastCommit.isShown) {
    throw new ErrnoError('EBUSY', op, 'Cannot change the display: the last change is not shown yet');
  }
  const next = holdState(change.next);
  const shown = change.touchesPlane ? next.framebuffer : undefined;
  let fences: Fence[];
  try {
    fences = yield* getReady(kms, request, shown);
  } catch (error) {
    dropState(next);
    throw error;
  }
  kms.state = next;
  const own: Commit = { isShown: false };
  kms.lastCommit = own;
  const { display } = kms;
  if (!isNonblocking) {
    yield* display.commitTail?.({ change, fences, requestedNs }) ?? [];
    show(kms, request, own);
    // Whoever waited is told; the kernel itself goes on, to let go of what was shown.
    if (!kms.isGone || request.process === undefined) return;
    throw new ErrnoError('ENODEV', op, 'Cannot change the display: the device has been unbound');
  }
  kms.kernel.spawn('a display change', later());
  function* later(): Task<void> {
    yield* waitFor(kms, fences, undefined);
    if (display.commitTail !== undefined) yield* display.commitTail({ change, fences, requestedNs });
    else yield* sleepUntil(kms.kernel.now() + SHOW_NS, 'a display');
    show(kms, request, own);
  }
}

/** Everything that can fail. @returns fences that the change waits for */
function* getReady(kms: KmsDevice, request: CommitRequest, shown: Framebuffer | undefined): Task<Fence[]> {
  const { isNonblocking, process, inFence } = request;
  yield* prepare(kms, shown, request);
  const fences = fencesOf(shown, inFence);
  try {
    if (!isNonblocking) yield* waitFor(kms, fences, process);
    yield* kms.wait(process, () => (kms.lastCommit.isShown ? true : undefined), 'the last change');
  } catch (error) {
    cleanUp(kms, shown);
    throw error;
  }
  return fences;
}

/** Source: drm_atomic_helper_commit_tail, with drm_atomic_helper_fake_vblank and drm_atomic_helper_cleanup_planes. */
function show(kms: KmsDevice, { change, event, outFence, op }: CommitRequest, own: Commit): void {
  const { kernel } = kms;
  own.isShown = true;
  for (const buffer of (change.touchesPlane && change.next.framebuffer?.buffers) || []) {
    kernel.syncAudit.goesAhead({ buffer: buffer.audited, who: kms.display.name, op, access: 'read' });
  }
  if (event !== undefined) event.file.send(flipEvent(kms, event));
  outFence?.signal();
  if (change.touchesPlane) cleanUp(kms, change.old.framebuffer);
  dropState(change.old);
  kernel.changed();
}

/** Source: drm_send_event, drm_crtc_send_vblank_event. */
function flipEvent({ kernel, ids, display }: KmsDevice, { userData }: PendingEvent): Uint8Array {
  const nowNs = kernel.now();
  return drmEventVblank.encode({
    type: DRM_EVENT.FLIP_COMPLETE,
    length: drmEventVblank.size,
    user_data: userData,
    tv_sec: Math.floor(nowNs / NS_PER_S),
    tv_usec: Math.floor((nowNs % NS_PER_S) / NS_PER_US),
    sequence: display.vblankCount?.() ?? 0,
    crtc_id: ids.crtc,
  });
}

/** A buffer that moves into video memory waits for everybody who uses it, where the picture waits for writers at most. */
function* prepare(kms: KmsDevice, framebuffer: Framebuffer | undefined, request: CommitRequest): Task<void> {
  const { kernel, display } = kms;
  const { process, inFence, op } = request;
  const done: GemObject[] = [];
  try {
    for (const buffer of framebuffer?.buffers ?? []) {
      let after = (): OverlongWait[] => [];
      const willWait = (): void => {
        after = watchWait({
          reservation: buffer.reservation,
          conflictsUpTo: inFence === undefined ? ResvUsage.Write : ResvUsage.Kernel,
          waitsUpTo: ResvUsage.Bookkeep,
          needed: inFence === undefined ? [] : [inFence],
          fromNs: kernel.now(),
        });
      };
      yield* display.pin?.(buffer, process, willWait) ?? [];
      done.push(buffer);
      const use = { buffer: buffer.audited, who: display.name, op, access: 'read' as const };
      const asked = inFence === undefined ? 'the picture' : 'IN_FENCE_FD';
      const why = `to move it into video memory, which ${asked} does not ask for`;
      const remedy = 'show the buffer once before others use it, so that it is there';
      for (const wait of after()) kernel.syncAudit.waitedTooLong(use, wait, why, remedy);
    }
  } catch (error) {
    for (const buffer of done) display.unpin?.(buffer);
    throw error;
  }
}

function cleanUp({ display }: KmsDevice, framebuffer: Framebuffer | undefined): void {
  for (const buffer of framebuffer?.buffers ?? []) display.unpin?.(buffer);
}

/** Source: drm_gem_plane_helper_prepare_fb. */
function fencesOf(framebuffer: Framebuffer | undefined, inFence: Fence | undefined): Fence[] {
  const upTo = inFence === undefined ? ResvUsage.Write : ResvUsage.Kernel;
  const implicit = (framebuffer?.buffers ?? []).flatMap(({ reservation }) => fencesOn(reservation, upTo));
  return inFence === undefined ? implicit : [inFence, ...implicit];
}

function* waitFor(kms: KmsDevice, fences: readonly Fence[], process: Process | undefined): Task<void> {
  for (const fence of fences) fence.tryAddCallback(() => kms.kernel.changed());
  const look = (): true | undefined => (fences.every((fence) => fence.isSignalled()) ? true : undefined);
  yield* kms.wait(process, look, 'the fences of a framebuffer');
}
