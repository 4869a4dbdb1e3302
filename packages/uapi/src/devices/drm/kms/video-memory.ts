/**
 * Video memory that buffers move into when they are shown.
 *
 * Source: drm_gem_vram_helper.c, ttm_bo.c and ttm_range_manager.c, v6.12. A buffer is in system memory until it is shown for
 * the first time; then it moves, which waits for everybody who uses it, and it stays until the room is needed.
 */
import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
import { ResvUsage } from '@dmabuf-lab/core/sync';
import { PAGE_BYTES } from '../../../abi/fcntl.js';
import type { SimulatedKernel } from '../../../kernel/kernel.js';
import type { Process } from '../../../kernel/process.js';
import type { GemObject } from '../gem-object.js';

/** A move waits no longer than this. Source: ttm_bo_wait_ctx. */
const MOVE_WAIT_NS = 15_000_000_000;

interface Placed {
  readonly first: number;
  readonly count: number;
  pins: number;
}

export class VideoMemory {
  /** Least recently used first. */
  readonly #placed = new Map<GemObject, Placed>();

  constructor(
    private readonly kernel: SimulatedKernel,
    private readonly sizePages: number,
  ) {}

  /** Moves a buffer here, and keeps it. @param willWait see `DisplayDriver.pin`. Source: drm_gem_vram_pin. @throws ErrnoError ENOMEM, EBUSY */
  *pin(object: GemObject, willWait: () => void, process?: Process): Task<void> {
    const known = this.#placed.get(object);
    const placed = known ?? (yield* this.#moveIn(object, willWait, process));
    placed.pins += 1;
  }

  /** Source: drm_gem_vram_unpin. It is the most recently used now. */
  unpin(object: GemObject): void {
    const placed = this.#placed.get(object);
    if (placed === undefined) return;
    placed.pins -= 1;
    this.#placed.delete(object);
    this.#placed.set(object, placed);
  }

  /** The buffer is gone. */
  forget(object: GemObject): void {
    this.#placed.delete(object);
  }

  /** Source: ttm_bo_validate, ttm_bo_move_memcpy. */
  *#moveIn(object: GemObject, willWait: () => void, process: Process | undefined): Task<Placed> {
    const count = object.sizeBytes / PAGE_BYTES;
    let first = this.#findRoom(count);
    while (first === undefined) {
      yield* this.#evictOne(process);
      first = this.#findRoom(count);
    }
    willWait();
    yield* this.#waitIdle(object, process);
    const placed: Placed = { first, count, pins: 0 };
    this.#placed.set(object, placed);
    return placed;
  }

  /** The smallest hole that is large enough. Source: DRM_MM_INSERT_BEST. @returns its first page */
  #findRoom(count: number): number | undefined {
    const used = [...this.#placed.values()].sort((a, b) => a.first - b.first);
    let best: { first: number; size: number } | undefined;
    let first = 0;
    for (const next of [...used, { first: this.sizePages, count: 0 }]) {
      const size = next.first - first;
      if (size >= count && (best === undefined || size < best.size)) best = { first, size };
      first = next.first + next.count;
    }
    return best?.first;
  }

  /** Source: ttm_bo_evict_first. @throws ErrnoError ENOMEM when all that is here is being shown */
  *#evictOne(process: Process | undefined): Task<void> {
    const found = [...this.#placed].find(([, { pins }]) => pins === 0);
    if (found === undefined) {
      throw new ErrnoError('ENOMEM', 'drm_gem_vram_pin', 'Cannot show a buffer: video memory has no room');
    }
    const [object] = found;
    yield* this.#waitIdle(object, process);
    this.#placed.delete(object);
  }

  *#waitIdle({ reservation }: GemObject, process: Process | undefined): Task<void> {
    const look = (): true | undefined => (reservation.testSignalled(ResvUsage.Bookkeep) ? true : undefined);
    if (look()) return;
    const untilNs = this.kernel.now() + MOVE_WAIT_NS;
    const what = 'the users of a buffer';
    const done =
      process === undefined ? yield* this.kernel.wait(look, untilNs, what) : yield* process.wait(look, untilNs, what);
    if (done === undefined) throw new ErrnoError('EBUSY', 'ttm_bo_wait_ctx', 'Cannot move a buffer: it is in use');
  }
}
