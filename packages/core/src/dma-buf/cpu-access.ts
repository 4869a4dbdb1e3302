/**
 * CPU access to a buffer, from begin to end: a lease.
 *
 * A CPU user counts like an importer without constraints: its lease is a mapping of its own attachment, so the first
 * access (the CPU fault) places the buffer, and a move waits for open leases. A view of shared memory cannot be revoked,
 * so a view is good only until the lease ends.
 *
 * Source: dma_buf_begin_cpu_access and dma_buf_end_cpu_access, drivers/dma-buf/dma-buf.c, v6.12: begin waits for the
 * fences that the direction calls for; end never waits. Differs: the lease holds up a move, where Linux unmaps and faults.
 */
import type { ActorServices, Task } from '../base/index.js';
import { ANY_DISTANCE } from '../constraints/index.js';
import type { PhysicalMemory } from '../memory/index.js';
import { DmaResv, type ResvWords, type TimelineWords, usageToWaitFor } from '../sync/index.js';
import type { BufferWords } from './buffer-words.js';
import type { DmaMapping } from './dma-mapping.js';
import { DmaBufImporter } from './importer.js';
import type { BufferHandle } from './protocol.js';

export interface CpuAccessParts {
  readonly services: ActorServices;
  readonly buffers: BufferWords;
  readonly memory: PhysicalMemory;
  readonly resv: ResvWords;
  readonly timelines: TimelineWords;
}

/** The CPU side of one actor. */
export class DmaBufCpuAccess {
  readonly #importer: DmaBufImporter;

  constructor(private readonly parts: CpuAccessParts) {
    const name = `${parts.services.name}.cpu`;
    // The CPU sees device-local memory through the BAR, however far away the device is.
    const constraints = { device: name, peerToPeerDistance: ANY_DISTANCE };
    const device = { name, constraints, mapping: 'per-job' } as const;
    this.#importer = new DmaBufImporter(parts.services, parts.buffers, parts.memory, device);
  }

  /**
   * Begins an access. Waits for the pending fences of writers and, to write, of readers too.
   *
   * @returns the lease, with the views over the pages
   * @throws ErrnoError as `DmaBufImporter.attach` and `mapAll`
   */
  *begin(buffer: BufferHandle, write: boolean): Task<DmaMapping> {
    const attachment = yield* this.#importer.attach(buffer);
    const resv = new DmaResv(this.parts.resv, this.parts.timelines, buffer.slot);
    yield* resv.wait(usageToWaitFor(write), 'a fence before CPU access');
    return yield* this.#importer.map(attachment, { owed: 0 });
  }

  /** Ends an access: its views are void. @throws ErrnoError EINVAL when it has ended already */
  end(lease: DmaMapping): void {
    this.#importer.unmap(lease);
  }

  /** Lets go of a buffer. @throws ErrnoError EBUSY while a lease is open */
  *release(buffer: BufferHandle): Task<void> {
    const attachment = this.#importer.attachmentOf(buffer);
    if (attachment !== undefined) yield* this.#importer.detach(attachment);
  }
}
