/** read(2) and write(2) on top of a queue. Source: __vb2_perform_fileio, videobuf2-core.c, v6.12. */
import { assert, ErrnoError, type Task } from '@dmabuf-lab/core/base';
import { V4L2_MEMORY } from '../../abi/videodev2.js';
import type { Process } from '../../kernel/process.js';
import { type Vb2Buffer, vb2Error } from './vb2-buffer.js';
import { readPages, writePages } from './vb2-memory.js';
import type { Vb2Queue } from './vb2-queue.js';

/** How far a buffer has been read or written. Source: struct vb2_fileio_buf. */
interface Progress {
  sizeBytes: number;
  position: number;
}

export class FileIo {
  #isActive = false;
  #progress: Progress[] = [];
  /** The buffer in use; as many as there are = one must be dequeued. */
  #current = 0;
  /** Writing begins with buffers that were never queued. */
  #initial = 0;

  constructor(private readonly queue: Vb2Queue) {}

  get isActive(): boolean {
    return this.#isActive;
  }

  /** @returns false when the queue cannot stream now */
  tryStart(): boolean {
    try {
      this.start();
      return true;
    } catch (error) {
      if (error instanceof ErrnoError) return false;
      throw error;
    }
  }

  /** Source: __vb2_init_fileio. @throws ErrnoError EBUSY, and the driver's */
  start(): void {
    const { queue } = this;
    if (queue.streaming || queue.buffers.count > 0)
      throw vb2Error('EBUSY', 'read', 'the queue is used by streaming I/O');
    this.#isActive = true;
    try {
      queue.reqbufs(V4L2_MEMORY.MMAP, queue.options.minBuffers);
      this.#begin(queue.buffers.all());
      queue.streamOn();
    } catch (error) {
      queue.reqbufs(V4L2_MEMORY.MMAP, 0);
      this.#isActive = false;
      throw error;
    }
  }

  #begin(buffers: readonly Vb2Buffer[]): void {
    if (buffers[0].planes.length !== 1) throw vb2Error('EBUSY', 'read', 'buffers of several planes cannot be read');
    this.#progress = buffers.map(({ planes }) => ({ sizeBytes: planes[0].lengthBytes, position: 0 }));
    this.#initial = this.#current = 0;
    if (this.queue.options.isOutput) return;
    for (const buffer of buffers) this.#enqueue(buffer);
    this.#initial = this.#current = buffers.length;
  }

  /** Buffers of the queue's own memory are never waited for. */
  #enqueue(buffer: Vb2Buffer): void {
    const { done } = this.queue.qbuf(buffer, undefined).next();
    assert(done === true, 'a buffer of own memory is queued at once');
  }

  /** Source: __vb2_cleanup_fileio. */
  stop(): void {
    if (!this.#isActive) return;
    this.queue.streamOff();
    this.#isActive = false;
    this.queue.reqbufs(V4L2_MEMORY.MMAP, 0);
  }

  /** @throws ErrnoError EBUSY, EAGAIN, EIO, and the driver's */
  *read(process: Process, nonblocking: boolean, lengthBytes: number): Task<Uint8Array> {
    const buffer = yield* this.#buffer(process, nonblocking);
    const progress = this.#progress[buffer.index];
    const count = Math.min(lengthBytes, progress.sizeBytes - progress.position);
    const bytes = readPages(buffer.planes[0].memory?.pages ?? [], progress.position, count);
    this.#advance(buffer, progress, count);
    return bytes;
  }

  /** @returns bytes written @throws ErrnoError EBUSY, EAGAIN, EIO, and the driver's */
  *write(process: Process, nonblocking: boolean, bytes: Uint8Array): Task<number> {
    const buffer = yield* this.#buffer(process, nonblocking);
    const progress = this.#progress[buffer.index];
    const count = Math.min(bytes.length, progress.sizeBytes - progress.position);
    writePages(buffer.planes[0].memory?.pages ?? [], progress.position, bytes.subarray(0, count));
    this.#advance(buffer, progress, count);
    return count;
  }

  /** The buffer to go on with: the one in use, or the next that the driver gives back. */
  *#buffer(process: Process, nonblocking: boolean): Task<Vb2Buffer> {
    const { queue } = this;
    if (queue.isWaitingInDqbuf) throw vb2Error('EBUSY', 'read', 'somebody else waits for a buffer');
    if (!this.#isActive) this.start();
    const known = queue.buffers.at(this.#current);
    if (known !== undefined) return known;
    const buffer = yield* queue.dqbuf(process, nonblocking, {});
    const [{ usedBytes, lengthBytes }] = buffer.planes;
    this.#current = buffer.index;
    this.#progress[buffer.index] = { sizeBytes: queue.options.isOutput ? lengthBytes : usedBytes, position: 0 };
    return buffer;
  }

  /**
   * A buffer that has come to its end goes back to the driver.
   *
   * Preparing it forgets how much was written (`__fill_vb2_buffer`, v6.12), so that a driver that looks at the payload, as
   * vivid does, refuses what write(2) brings.
   */
  #advance(buffer: Vb2Buffer, progress: Progress, count: number): void {
    progress.position += count;
    if (progress.position < progress.sizeBytes) return;
    buffer.planes[0].usedBytes = progress.position;
    this.#enqueue(buffer);
    this.#progress[buffer.index] = { sizeBytes: buffer.planes[0].lengthBytes, position: 0 };
    if (this.#initial < this.queue.buffers.count) this.#initial += 1;
    this.#current = this.#initial;
  }
}
