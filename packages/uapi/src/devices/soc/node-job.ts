/** A job behind a device node: the memory of its frames is mapped already, and its fence was published at submission. */
import { ERRNO, type Nanoseconds, type Task } from '@dmabuf-lab/core/base';
import type { Access, Job } from '@dmabuf-lab/core/driver';
import type { SimulatedKernel } from '../../kernel/kernel.js';
import { pageRuns } from '../../kernel/pages.js';
import type { NodeFrame, SubmittedWork } from './node-frame.js';

export class NodeJob implements Job {
  /** Storage does not move under a device here: what it would wait for is a dependency. */
  readonly stalledNs = 0;
  #ended = false;

  private constructor(
    private readonly accesses: readonly Access<NodeFrame>[],
    private readonly work: ReadonlySet<SubmittedWork>,
    readonly startNs: Nanoseconds,
  ) {}

  /** Waits for what the submission depends on; an error there is the frame's. Source: drm_sched_job_dependency, v6.12. */
  static *begin(kernel: SimulatedKernel, accesses: readonly Access<NodeFrame>[]): Task<NodeJob> {
    const work = new Set<SubmittedWork>();
    for (const { frame } of accesses) if (frame.work !== undefined) work.add(frame.work);
    for (const { dependencies } of work) {
      for (const fence of dependencies) {
        const look = (): true | undefined => (fence.isSignalled() ? true : undefined);
        yield* kernel.wait(look, Number.POSITIVE_INFINITY, 'a fence');
        if (fence.status < 0) for (const { frame, write } of accesses) if (!write) frame.error = -fence.status;
      }
    }
    for (const { frame, write } of accesses) if (!write) frame.readByDevice();
    return new NodeJob(accesses, work, kernel.now());
  }

  segments(frame: NodeFrame): readonly Uint8Array[] {
    return pageRuns(frame.pages);
  }

  get transfer(): { readonly bytes: number; readonly segments: number } {
    let bytes = 0;
    let segments = 0;
    for (const { frame } of this.accesses) {
      const { format, pages } = frame;
      bytes += format.sizeBytes;
      segments += pageRuns(pages).length;
    }
    return { bytes, segments };
  }

  end(error?: 'EIO' | 'ECANCELED'): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const { frame, write } of this.accesses) {
      if (!write) continue;
      frame.writtenByDevice();
      if (error !== undefined && frame.isLent) frame.error = ERRNO[error];
    }
    for (const work of this.work) work.end(error);
  }

  [Symbol.dispose](): void {
    this.end('ECANCELED');
  }
}
