/**
 * What the frames of a pipeline hold: the buffer, and what belongs to this use of it.
 *
 * Layout    frame row   3  BUFFER    the owner     slot of the buffer        4  LIFE  of the buffer
 *                       5  SEQUENCE  the owner     of the frame              6,7  CAPTURED  ns, low and high
 *                       8  CHECKSUM  the writer    of the content            9  ERROR  errno the content ended with
 *                       10-13        the owner     acquire fence: timeline + 1 or 0, generation, seqno low, high
 *                       16-31        consumer i    release fence of the i-th link, likewise
 *                       the others   who holds it, and guards: frame-words.ts
 *
 * Invariants
 *   I1  Words 3 to 13 change only while the owner holds the frame alone (nobody but OWNER of frame-words.ts, not handed over
 *       yet), except CHECKSUM and ERROR, which the writer stores before it signals the acquire fence; a consumer reads them after it.
 *
 * Nobody waits for any of these words, and who reads or writes them holds the frame: the hand-over between them is that of
 * frame-words.ts and ring-words.ts. A dead holder leaves nothing behind here that its successor does not write anew.
 * Damage    What was loaded is trusted if the guards are whole after it. The content of a frame whose row was overwritten counts as one
 *           that failed with EIO, its fences as none.
 * Shown by  tests/unit/core/driver/frame-words.test.ts, tests/unit/core/driver/damaged-rows.test.ts, tests/race/frame-pool.test.ts.
 */
import {
  type AtomicWords,
  bufferSlot,
  ERRNO,
  ErrnoError,
  type TableRegion,
  timelineSlot,
  wordAt,
} from '../base/index.js';
import type { BufferHandle, RowGuards } from '../dma-buf/index.js';
import type { DmaFence } from '../sync/index.js';

const BUFFER = 3;
const LIFE = 4;
const SEQUENCE = 5;
const CAPTURED = 6;
const CHECKSUM = 8;
const ERROR = 9;
const ACQUIRE = 10;
const END = 14;
const RELEASE = 16;
const FENCE_WORDS = 4;
/** Words of one frame. */
export const FRAME_ROW_WORDS = 48;
/** Links of one output that can return a release fence. */
export const MAX_LINKS = 4;

const TWO_32 = 4_294_967_296;

export class FrameContentWords {
  /** @param frameGuards absent = nobody has opened them */
  constructor(
    protected readonly words: AtomicWords,
    protected readonly frames: TableRegion,
    private readonly frameGuards?: RowGuards,
  ) {}

  /** Whether somebody has overwritten the row of a frame: it is lost to its pool. */
  isLost(frame: number): boolean {
    return this.frameGuards?.isDamaged(frame) === true;
  }

  /**
   * The buffer that a frame has now.
   *
   * @throws ErrnoError EIO when its row was overwritten
   */
  buffer(frame: number): BufferHandle {
    const slot = this.get(frame, BUFFER);
    const life = this.get(frame, LIFE);
    if (this.isLost(frame)) {
      const message = `Cannot use frame ${frame}: its control words have been overwritten`;
      throw new ErrnoError('EIO', 'acquire', message, { frame });
    }
    return { slot: bufferSlot(slot), life };
  }

  /** Describes what the frame holds. Only by the one that holds it alone (I1). */
  describe(frame: number, sequence: number, capturedNs: number): void {
    this.set(frame, SEQUENCE, sequence);
    this.set(frame, CAPTURED, (capturedNs % TWO_32) | 0);
    this.set(frame, CAPTURED + 1, Math.floor(capturedNs / TWO_32));
  }

  sequence(frame: number): number {
    const sequence = this.get(frame, SEQUENCE);
    return this.isLost(frame) ? 0 : sequence >>> 0;
  }

  capturedNs(frame: number): number {
    const capturedNs = this.get(frame, CAPTURED + 1) * TWO_32 + (this.get(frame, CAPTURED) >>> 0);
    return this.isLost(frame) ? 0 : capturedNs;
  }

  checksum(frame: number): number {
    return this.get(frame, CHECKSUM) >>> 0;
  }

  setChecksum(frame: number, checksum: number): void {
    this.set(frame, CHECKSUM, checksum | 0);
  }

  error(frame: number): number {
    const errno = this.get(frame, ERROR);
    return this.isLost(frame) ? ERRNO.EIO : errno;
  }

  setError(frame: number, errno: number): void {
    this.set(frame, ERROR, errno);
  }

  acquireFence(frame: number): DmaFence | undefined {
    return this.#fence(frame, ACQUIRE);
  }

  setAcquireFence(frame: number, fence: DmaFence | undefined): void {
    this.#setFence(frame, ACQUIRE, fence);
  }

  /** Whether a consumer left a release fence on the frame's last use. */
  hasReleaseFences(frame: number): boolean {
    for (let link = 0; link < MAX_LINKS; link += 1)
      if (this.get(frame, RELEASE + link * FENCE_WORDS) !== 0) return !this.isLost(frame);
    return false;
  }

  /** Release fences that consumers left on the frame's last use. */
  releaseFences(frame: number): DmaFence[] {
    const fences: DmaFence[] = [];
    for (let link = 0; link < MAX_LINKS; link += 1) {
      const fence = this.#fence(frame, RELEASE + link * FENCE_WORDS);
      if (fence !== undefined) fences.push(fence);
    }
    return fences;
  }

  setReleaseFence(frame: number, link: number, fence: DmaFence | undefined): void {
    if (link < MAX_LINKS) this.#setFence(frame, RELEASE + link * FENCE_WORDS, fence);
  }

  protected setBuffer(frame: number, buffer: BufferHandle): void {
    this.set(frame, BUFFER, buffer.slot);
    this.set(frame, LIFE, buffer.life);
  }

  /** Forgets checksum, error and acquire fence of a frame's last use. */
  protected clearContent(frame: number): void {
    for (let column = CHECKSUM; column < END; column += 1) this.set(frame, column, 0);
  }

  protected get(frame: number, column: number): number {
    return this.words.load(wordAt(this.frames, frame, column));
  }

  protected set(frame: number, column: number, value: number): void {
    this.words.store(wordAt(this.frames, frame, column), value);
  }

  #fence(frame: number, column: number): DmaFence | undefined {
    const timeline = this.get(frame, column);
    if (timeline === 0) return undefined;
    const generation = this.get(frame, column + 1);
    const seqno = this.get(frame, column + 3) * TWO_32 + (this.get(frame, column + 2) >>> 0);
    return this.isLost(frame) ? undefined : { timeline: timelineSlot(timeline - 1), generation, seqno };
  }

  #setFence(frame: number, column: number, fence: DmaFence | undefined): void {
    this.set(frame, column, 0);
    if (fence === undefined) return;
    this.set(frame, column + 1, fence.generation);
    this.set(frame, column + 2, (fence.seqno % TWO_32) | 0);
    this.set(frame, column + 3, Math.floor(fence.seqno / TWO_32));
    this.set(frame, column, fence.timeline + 1);
  }
}
