/** A driver whose index has run away: it writes once over the end of the row of a buffer that it is attached to. */
import { type Task, wordAt } from '@dmabuf-lab/core/base';
import type { ActorHost } from '@dmabuf-lab/core/runtime';
import { type StressActorStart, StressDriver, type StressLane, StressOperations } from '@dmabuf-lab/lab';

class OverwritesWords extends StressOperations {
  #hasWritten = false;

  protected override *pause(lane: StressLane): Task<void> {
    yield* super.pause(lane);
    const attachment = [...this.importer.attachments].find(({ detached }) => !detached);
    if (attachment === undefined || this.#hasWritten) return;
    this.#hasWritten = true;
    const { buffers } = this.start.tables;
    this.host.words.store(wordAt(buffers, attachment.buffer.slot, buffers.rowWords - 1), 0x0bad_0bad);
  }
}

export function* program(host: ActorHost, start: StressActorStart): Task<unknown> {
  return yield* new StressDriver(host, start, new OverwritesWords(host, start)).run();
}
