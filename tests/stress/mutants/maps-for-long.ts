/** A driver that has the buffers of its first job mapped for most of the run, and then goes on as if nothing had been. */
import { sleepUntil, type Task } from '@dmabuf-lab/core/base';
import type { PipelineJob } from '@dmabuf-lab/core/driver';
import { type ActorHost, PEER_DIED, type PeerDeath } from '@dmabuf-lab/core/runtime';
import {
  type StressAccess,
  type StressActorStart,
  StressDriver,
  type StressLane,
  StressOperations,
} from '@dmabuf-lab/lab';

/** Of the run. */
const MOST = 0.9;

class MapsForLong extends StressOperations {
  #isPast = false;

  protected override *useJob(lane: StressLane, job: PipelineJob, accesses: readonly StressAccess[]): Task<void> {
    if (!this.#isPast && this.host.name === 'driver1') {
      this.#isPast = true;
      yield* sleepUntil(this.host.clock.now() + MOST * this.start.plan.durationNs, 'nothing in particular');
    }
    yield* super.useJob(lane, job, accesses);
  }
}

export function* program(host: ActorHost, start: StressActorStart): Task<unknown> {
  const driver = new StressDriver(host, start, new MapsForLong(host, start));
  host.serve({ [PEER_DIED]: ({ actor }: PeerDeath) => driver.onDeath(actor) });
  return yield* driver.run();
}
