/**
 * Follows the accesses of a scenario's device: each actor writes into the shared history, and is checked as it does.
 *
 * It sees when a job maps, publishes its fence, asks for pages, signals and unmaps, and who else is at the same buffer then. It
 * does not see single loads and stores: whoever keeps a view and uses it after `job.end` is found by the DMA sanitizer and by the
 * contents, not here.
 */
import type { AtomicWords, BufferSlot, TimelineSlot } from '@dmabuf-lab/core/base';
import { type AccessWatch, openTables, type SharedTables, type WatchedAccess } from '@dmabuf-lab/core/driver';
import { type ActorHost, RuntimeWords } from '@dmabuf-lab/core/runtime';
import { HistoryChecker } from './history-checker.js';
import { type HistoryBoard, HistoryWords } from './history-words.js';

/** What tells who is dead, of the control words of a run. */
export function deathsOfRun(words: AtomicWords): (actor: number, life: number) => boolean {
  const runtime = new RuntimeWords(words);
  return (actor, life) => runtime.deaths(actor as ActorHost['id']) > life;
}

/** @param firstTimeline of the device: its lanes follow from there */
export function recordAccesses(
  host: ActorHost,
  board: HistoryBoard,
  tables: SharedTables,
  firstTimeline: number,
): AccessWatch {
  const words = new HistoryWords(board);
  const { buffers } = openTables(host.words, tables, host.id);
  const now = (): number => host.clock.now();
  const checker = new HistoryChecker({
    words,
    actor: host.id,
    life: host.life,
    now,
    stateOf: (slot: BufferSlot) => buffers.state(slot),
    hasDied: deathsOfRun(host.words),
    onViolation: () => undefined,
  });
  const laneOf = (timeline: TimelineSlot): number => checker.lane(timeline - firstTimeline);
  return {
    created: (buffer) => checker.begin(buffer, checker.lane(0)),
    waits(timeline, buffer): void {
      const lane = laneOf(timeline);
      if (buffer !== undefined) checker.log('waits', buffer.slot, lane);
      words.setWait(lane, host.life, buffer && { slot: buffer.slot, sinceNs: now() });
    },
    begin({ lane: timeline, buffer, mapping, fence, writes }): WatchedAccess {
      const lane = laneOf(timeline);
      checker.log('mapped', buffer.slot, lane, mapping.generation);
      if (fence !== undefined) checker.log('published', buffer.slot, lane, fence.seqno, writes ? 1 : 0);
      const touch = checker.beginTouch(buffer, mapping, lane, writes);
      return {
        touch: () => checker.checked(touch),
        end(complete): void {
          checker.endTouch(touch, complete);
          if (fence !== undefined) checker.log('signalled', buffer.slot, lane, fence.seqno);
        },
        ended: () => checker.log('unmapped', buffer.slot, lane, mapping.generation),
      };
    },
  };
}
