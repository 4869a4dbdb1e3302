/** A driver that keeps its views and now and then writes through them once its mapping has ended. */
import type { Task } from '@dmabuf-lab/core/base';
import type { PipelineJob } from '@dmabuf-lab/core/driver';
import type { ActorHost } from '@dmabuf-lab/core/runtime';
import {
  pagesOf,
  type StressAccess,
  type StressActorStart,
  StressDriver,
  type StressLane,
  StressOperations,
} from '@dmabuf-lab/lab';

class TouchesAfterUnmap extends StressOperations {
  #kept: { readonly page: Int32Array; readonly content: Int32Array } | undefined;

  protected override endJob(lane: StressLane, job: PipelineJob, accesses: readonly StressAccess[]): void {
    const [first] = accesses;
    if (this.#kept !== undefined) this.#kept.page.set(this.#kept.content);
    this.#kept = undefined;
    if (first.write) {
      const [page] = pagesOf(job.segments(first.frame));
      this.#kept = { page, content: page.slice() };
    }
    super.endJob(lane, job, accesses);
  }
}

export function* program(host: ActorHost, start: StressActorStart): Task<unknown> {
  return yield* new StressDriver(host, start, new TouchesAfterUnmap(host, start)).run();
}
