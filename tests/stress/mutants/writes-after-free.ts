/** A driver that keeps its views, and writes once through one of them when the buffer is gone. */
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

interface Kept {
  readonly buffer: StressAccess['frame']['buffer'];
  readonly page: Int32Array;
}

class WritesAfterFree extends StressOperations {
  #kept: Kept[] = [];
  #hasWritten = false;

  protected override endJob(lane: StressLane, job: PipelineJob, accesses: readonly StressAccess[]): void {
    const [{ frame }] = accesses;
    const [page] = pagesOf(job.segments(frame));
    const gone = this.#kept.find(({ buffer }) => this.tables.buffers.life(buffer.slot) !== buffer.life);
    if (gone !== undefined && !this.#hasWritten) {
      gone.page[7] = 1;
      this.#hasWritten = true;
    }
    this.#kept = [...this.#kept, { buffer: frame.buffer, page }].slice(-40);
    super.endJob(lane, job, accesses);
  }
}

export function* program(host: ActorHost, start: StressActorStart): Task<unknown> {
  return yield* new StressDriver(host, start, new WritesAfterFree(host, start)).run();
}
