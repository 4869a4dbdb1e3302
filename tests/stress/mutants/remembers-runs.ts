/** A driver that is not the same in every execution: a word of its module outlives them. */
import { EventEmitter } from 'node:events';
import { sleepUntil, type Task } from '@dmabuf-lab/core/base';
import type { ActorHost } from '@dmabuf-lab/core/runtime';
import { type StressActorStart, StressDriver, type StressLane, StressOperations } from '@dmabuf-lab/lab';

/** Executions that have begun in this process. */
let executions = 0;
/** Told `execution`, with its number, when one begins in this thread. */
export const begun = new EventEmitter<{ execution: [number: number] }>();
const FROM_NS = 3_000_000;

class RemembersRuns extends StressOperations {
  protected override *pause(lane: StressLane): Task<void> {
    yield* super.pause(lane);
    const nowNs = this.host.clock.now();
    if (executions % 2 === 0 && nowNs >= FROM_NS) yield* sleepUntil(nowNs + 1, 'no reason');
  }
}

export function* program(host: ActorHost, start: StressActorStart): Task<unknown> {
  if (start.index === 0 && host.life === 0) {
    executions += 1;
    begun.emit('execution', executions);
  }
  return yield* new StressDriver(host, start, new RemembersRuns(host, start)).run();
}
