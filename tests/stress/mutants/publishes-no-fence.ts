/** A driver whose writes nobody can wait for: it publishes no fence. */
import type { Task } from '@dmabuf-lab/core/base';
import { type JobParts, PipelineJob } from '@dmabuf-lab/core/driver';
import type { ActorHost } from '@dmabuf-lab/core/runtime';
import {
  type StressAccess,
  type StressActorStart,
  StressDriver,
  type StressLane,
  StressOperations,
} from '@dmabuf-lab/lab';

class PublishesNoFence extends StressOperations {
  protected override beginJob(
    parts: JobParts,
    { lane }: StressLane,
    accesses: readonly StressAccess[],
  ): Task<PipelineJob> {
    return PipelineJob.begin(parts, lane, accesses, { publish: false });
  }
}

export function* program(host: ActorHost, start: StressActorStart): Task<unknown> {
  return yield* new StressDriver(host, start, new PublishesNoFence(host, start)).run();
}
