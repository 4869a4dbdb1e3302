/** A driver that sends its exporter something that is no request, and thinks nothing of the answer. */
import { isErrno, type Task } from '@dmabuf-lab/core/base';
import { EXPORTER } from '@dmabuf-lab/core/dma-buf';
import type { ActorHost } from '@dmabuf-lab/core/runtime';
import { type StressActorStart, StressDriver, type StressLane, StressOperations } from '@dmabuf-lab/lab';

class SendsGarbage extends StressOperations {
  protected override *pause(lane: StressLane): Task<void> {
    try {
      yield* this.host.call(EXPORTER, 'map', { buffer: { slot: -1, life: 1 }, attachment: 0 });
    } catch (error) {
      if (!isErrno(error, 'EPROTO')) throw error;
    }
    yield* super.pause(lane);
  }
}

export function* program(host: ActorHost, start: StressActorStart): Task<unknown> {
  return yield* new StressDriver(host, start, new SendsGarbage(host, start)).run();
}
