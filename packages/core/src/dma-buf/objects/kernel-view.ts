import { assert } from '../../base/index.js';
import type { DmaBufCaller } from './caller.js';
import type { GuardedOps } from './guarded-ops.js';

/**
 * The mapping of a buffer for the kernel, which all of its users share. The lock is held in every call.
 *
 * Source: dma_buf_vmap, dma_buf_vunmap and `vmapping_counter`, v6.12.
 */
export class KernelView {
  #pages: readonly Uint8Array[] | undefined;
  readonly #users: string[] = [];

  constructor(private readonly exporter: Pick<GuardedOps<never, never>, 'name' | 'vmap' | 'vunmap'>) {}

  /** Who has it, once for each time. */
  get users(): readonly string[] {
    return this.#users;
  }

  /** @returns the pages, the same for all users @throws ErrnoError EINVAL without the op, and what the op throws */
  map(caller: DmaBufCaller): readonly Uint8Array[] {
    this.#pages ??= this.exporter.vmap(caller);
    this.#users.push(caller.name);
    return this.#pages;
  }

  /** @throws InvariantError when it is not mapped, or as something else: BUG_ON in Linux */
  unmap(pages: readonly Uint8Array[], caller: DmaBufCaller): void {
    assert(this.#pages !== undefined, `dma_buf_vunmap: ${this.exporter.name} is vmapped`);
    assert(this.#pages === pages, `dma_buf_vunmap: ${this.exporter.name} is vmapped as what is handed back`);
    const own = this.#users.lastIndexOf(caller.name);
    this.#users.splice(own === -1 ? this.#users.length - 1 : own, 1);
    if (this.#users.length > 0) return;
    this.#pages = undefined;
    this.exporter.vunmap(pages, caller);
  }
}
