/** A driver that signals its fences and forgets to unmap. */
import type { Task } from '@dmabuf-lab/core/base';
import type { PipelineJob } from '@dmabuf-lab/core/driver';
import type { ActorHost } from '@dmabuf-lab/core/runtime';
import { type StressAccess, type StressActorStart, StressDriver, type StressLane } from '@dmabuf-lab/lab';

class NeverUnmaps extends StressDriver {
  protected override endJob({ lane }: StressLane, job: PipelineJob, _accesses: readonly StressAccess[]): void {
    if (job.fence !== undefined) lane.pay(job.fence);
  }
}

export function* program(host: ActorHost, start: StressActorStart): Task<unknown> {
  return yield* new NeverUnmaps(host, start).run();
}
