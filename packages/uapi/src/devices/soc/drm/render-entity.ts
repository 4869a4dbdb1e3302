/**
 * The jobs of an open file of a GPU, on a timeline of their own.
 *
 * The device may work on several at once. Their fences signal in the order of submission, since they are on one timeline: a
 * job that is done before an earlier one is retired with it.
 *
 * Source: struct drm_sched_entity, drivers/gpu/drm/scheduler/sched_entity.c, v6.12.
 */
import { Fence } from '@dmabuf-lab/core/sync';
import type { SimulatedKernel } from '../../../kernel/kernel.js';
import type { Process } from '../../../kernel/process.js';
import type { DrmFile } from '../../drm/drm-file.js';
import type { RenderJob } from './render-job.js';

/** Status of a fence that has signalled well. Source: dma_fence_get_status. */
const SIGNALLED = 1;

export class RenderEntity {
  readonly #context: number;
  #seqno = 0;
  /** Not signalled, oldest first. */
  readonly #jobs: RenderJob[] = [];
  /** Errors of jobs that failed, by their numbers. */
  readonly #failed = new Map<number, number>();
  /** Who submitted last. */
  lastUser: Process | undefined;

  /** @param device what fences call their timeline */
  constructor(
    private readonly kernel: SimulatedKernel,
    private readonly device: string,
  ) {
    this.#context = kernel.fences.allocate();
  }

  static of(file: DrmFile): RenderEntity {
    return file.driverData as RenderEntity;
  }

  /** A fence for the next job. Source: drm_sched_fence_alloc, drm_sched_fence_init. */
  createFence(): Fence {
    this.#seqno += 1;
    return new Fence({
      clock: this.kernel.fences.clock,
      context: this.#context,
      seqno: this.#seqno,
      driverName: 'dmabuf-lab',
      timelineName: this.device,
    });
  }

  add(job: RenderJob): void {
    this.#jobs.push(job);
  }

  /** Number of the last job. */
  get lastNumber(): number {
    return this.#seqno;
  }

  /** Of a job that has been submitted: 0 while it is pending, 1, or the negative errno that it ended with. */
  status(number: number): number {
    if (this.#jobs.some(({ fence }) => fence.seqno === number)) return 0;
    return this.#failed.get(number) ?? SIGNALLED;
  }

  /** Signals the fences of those at the front that have ended. */
  retire(): void {
    for (let job = this.#jobs[0]; job?.isEnded === true; job = this.#jobs[0]) {
      this.#jobs.shift();
      job.signal();
      if (job.fence.status < 0) this.#failed.set(job.fence.seqno, job.fence.status);
    }
    this.kernel.changed();
  }
}
