/** The port of a checker that follows every access of a driver to pages, from its mapping to its unmap. */
import type { TimelineSlot } from '../base/index.js';
import type { BufferHandle, DmaMapping } from '../dma-buf/index.js';
import type { DmaFence } from '../sync/index.js';

/** Who is told what a driver does with buffers. Nothing of it waits, and nothing changes what the driver does. */
export interface AccessWatch {
  /** The driver has had a buffer made, which nobody else knows yet. */
  created(buffer: BufferHandle): void;

  /** A lane waits for a buffer, its fences or its storage. @param buffer undefined = it waits no more */
  waits(lane: TimelineSlot, buffer: BufferHandle | undefined): void;

  /** A job may touch a buffer's pages from now on: it has mapped them, and published its fence if it has one. */
  begin(use: WatchedUse): WatchedAccess;
}

/** One buffer of a job. */
export interface WatchedUse {
  readonly lane: TimelineSlot;
  readonly buffer: BufferHandle;
  readonly mapping: DmaMapping;
  readonly fence: DmaFence | undefined;
  readonly writes: boolean;
}

/** A job's access to the pages of one buffer. */
export interface WatchedAccess {
  /** The driver asks for the pages: before the end, and by mistake after it. */
  touch(): void;

  /** The last access is over; the fence is not signalled and the mapping not ended yet. @param complete the job was done */
  end(complete: boolean): void;

  /** The fence has been signalled and the mapping ended. */
  ended(): void;
}
