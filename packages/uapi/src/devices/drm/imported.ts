import { assert, type Task } from '@dmabuf-lab/core/base';
import { DmaBufCaller, type ObjectAttachment, type ResvWaiter } from '@dmabuf-lab/core/dma-buf';
import type { DmaBufAttachment, DmaBufFile } from '../../files/dma-buf.js';
import { type ReachProblem, reachProblem } from '../../kernel/device-reach.js';
import type { SimulatedKernel } from '../../kernel/kernel.js';
import type { Page } from '../../kernel/pages.js';

/**
 * A dma-buf of another exporter as a GEM object holds it.
 *
 * The device attaches when it imports, and maps when it begins to work on the buffer. Where storage can move it follows: told
 * of a move it unmaps, and what it has begun is waited for by its fences. Source: drm_gem_prime_import_dev, and
 * amdgpu_dma_buf_move_notify for the rest, v6.12. Differs: Linux maps as soon as it imports, which chooses the place for one
 * device alone, and only drivers such as amdgpu, i915 and xe follow moves.
 */
export class ImportedBuffer {
  readonly #attachment: DmaBufAttachment;

  /** Attaches, and holds the buffer. @throws ErrnoError what the exporter says; then nothing is held */
  constructor(
    private readonly kernel: SimulatedKernel,
    readonly buffer: DmaBufFile,
    device: string,
  ) {
    this.#attachment = buffer.isMovable
      ? buffer.dynamicAttach(device, { moveNotify: unmapAll })
      : buffer.attach(device);
    buffer.hold();
  }

  /**
   * What the device has against the buffer as it lies; undefined when nothing, or when its storage is chosen or moved for it.
   *
   * @throws ErrnoError ENOMEM when there are no pages yet, and none to be had
   */
  problem(): ReachProblem | undefined {
    const { buffer, kernel } = this;
    if (buffer.isMovable) return undefined;
    return reachProblem(kernel, buffer.exporter.vmap?.() ?? [], kernel.deviceNamed(this.#attachment.device));
  }

  /**
   * Locks the reservation for a job; the device has the buffer mapped then.
   *
   * @param caller holds no reservation; afterwards this one, unless it throws
   * @throws ErrnoError EBUSY, EINVAL, ENOMEM when the storage cannot be brought into reach
   */
  *lockForJob(caller: DmaBufCaller): Task<void> {
    const { buffer } = this;
    const attachment = this.#attachment;
    if (buffer.isMovable && attachment.mappings.size === 0) {
      yield* buffer.lockAndMap(caller, attachment, 'bidirectional');
    } else {
      yield* caller.lock(buffer.reservation);
    }
  }

  /** Brings the storage to where the device reaches it. @throws ErrnoError EBUSY, EINVAL, ENOMEM when it cannot be */
  makeReachable(): Task<void> {
    return this.buffer.makeReachable(this.#attachment);
  }

  /**
   * Maps it for the device; once mapped it stays so until it moves.
   *
   * Context: the caller holds the reservation.
   * @param wait for fences of usage KERNEL
   * @throws ErrnoError ENOMEM, and what the exporter says
   */
  *map(caller: DmaBufCaller, wait: ResvWaiter): Task<void> {
    if (this.#attachment.mappings.size > 0) return;
    yield* this.buffer.object.mapAttachment(caller, this.#attachment, 'bidirectional', wait);
  }

  /**
   * Maps it and keeps the storage where it is, as for scan-out. Context: as `map`. @throws ErrnoError as `map`
   * Source: amdgpu_display_framebuffer_init and amdgpu_bo_pin, v6.12.
   */
  *pin(caller: DmaBufCaller, wait: ResvWaiter): Task<void> {
    const { buffer } = this;
    yield* this.map(caller, wait);
    if (buffer.isMovable) yield* buffer.object.pin(caller, this.#attachment);
  }

  /** Counterpart of `pin`; waits beside the caller where the buffer is locked. */
  unpin(): void {
    const { buffer, kernel } = this;
    if (!buffer.isMovable) return;
    const attachment = this.#attachment;
    const caller = new DmaBufCaller(attachment.device);
    buffer.hold();
    function* unpin(): Task<void> {
      yield* caller.lock(buffer.reservation);
      buffer.object.unpin(caller, attachment);
      caller.unlock(buffer.reservation);
      buffer.drop();
    }
    kernel.startNow('dma_buf_unpin', unpin());
  }

  /** What the device works on. */
  pages(access: 'read' | 'write'): readonly Page[] {
    const [mapping] = this.#attachment.mappings;
    assert(mapping !== undefined, 'a buffer is mapped for the device before it works on it');
    return mapping.touch(access);
  }

  /** The object is gone: unmaps, detaches, lets go; waits beside the caller where the buffer is being moved. */
  release(): void {
    const { kernel, buffer } = this;
    const attachment = this.#attachment;
    const caller = new DmaBufCaller(attachment.device);
    function* detach(): Task<void> {
      if (attachment.mappings.size > 0) {
        yield* caller.lock(buffer.reservation);
        yield* kernel.charged(() => unmapAll(attachment, caller));
        caller.unlock(buffer.reservation);
      }
      buffer.detach(attachment);
      buffer.drop();
    }
    kernel.startNow('drm_prime_gem_destroy', detach());
  }
}

/** Source: amdgpu_dma_buf_move_notify. The lock is held. */
function unmapAll(attachment: ObjectAttachment<unknown>, caller: DmaBufCaller): void {
  for (const mapping of [...attachment.mappings]) attachment.buffer.unmapAttachment(caller, mapping);
}
