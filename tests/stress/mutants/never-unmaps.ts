/** A driver that signals its fences and forgets to unmap. */
import type { Task } from '@dmabuf-lab/core/base';
import type { PipelineJob } from '@dmabuf-lab/core/driver';
import type { ActorHost } from '@dmabuf-lab/core/runtime';
import {
  type StressAccess,
  type StressActorStart,
  StressDriver,
  type StressLane,
  StressOperations,
} from '@dmabuf-lab/lab';

class NeverUnmaps extends StressOperations {
  protected override endJob({ lane }: StressLane, job: PipelineJob, _accesses: readonly StressAccess[]): void {
    if (job.fence !== undefined) lane.pay(job.fence);
  }
}

export function* program(host: ActorHost, start: StressActorStart): Task<unknown> {
  return yield* new StressDriver(host, start, new NeverUnmaps(host, start)).run();
}
