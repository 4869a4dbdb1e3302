/**
 * A queue of video buffers between user space and a driver.
 *
 * Source: drivers/media/common/videobuf2/videobuf2-core.c, v6.12.
 */
import type { Task } from '@dmabuf-lab/core/base';
import { POLL } from '../../abi/fcntl.js';
import type { SimulatedKernel } from '../../kernel/kernel.js';
import type { OpenFile } from '../../kernel/open-file.js';
import type { Process } from '../../kernel/process.js';
import { type Vb2Buffer, vb2Error } from './vb2-buffer.js';
import { Vb2Buffers } from './vb2-buffers.js';
import { FileIo } from './vb2-fileio.js';
import { ANY_IO, type DequeueSteps, VB2_IO, type Vb2Ops, type Vb2QueueOptions } from './vb2-ops.js';
import { prepareBuffer } from './vb2-prepare.js';

export class Vb2Queue {
  readonly buffers: Vb2Buffers;
  readonly fileIo: FileIo;
  /** V4L2_MEMORY; 0 = nothing is allocated. */
  memory = 0;
  streaming = false;
  /** The driver streams. */
  started = false;
  /** A fatal error: nothing goes on until STREAMOFF. */
  error = false;
  /** The format is in use. Source: vb2_is_busy. */
  isBusy = false;
  /** Which of the two ways of queueing user space has taken. */
  usesRequests = false;
  usesQbuf = false;
  /** The file that has the buffers; others may only look. */
  owner: OpenFile | undefined;
  /** The last buffer of a stream has been dequeued: there is nothing more to wait for. */
  lastBufferDequeued = false;
  #queued: Vb2Buffer[] = [];
  #done: Vb2Buffer[] = [];
  #waitingInDqbuf = false;
  #isPreparing = false;
  /** Nothing has been queued yet: poll has nothing to wait for. */
  #waitingForBuffers = false;

  constructor(
    private readonly kernel: SimulatedKernel,
    readonly options: Vb2QueueOptions,
    private readonly ops: Vb2Ops,
  ) {
    this.buffers = new Vb2Buffers(options.memory, options.maxBuffers, options.firstOffset ?? 0);
    this.fileIo = new FileIo(this);
  }

  /** Buffers queued and not yet dequeued. */
  get queuedCount(): number {
    return this.#queued.length;
  }

  /** Buffers that wait for DQBUF. */
  get doneCount(): number {
    return this.#done.length;
  }

  /** Whether it can be used so. @param mode of VB2_IO */
  allows(mode: number): boolean {
    return ((this.options.ioModes ?? ANY_IO) & mode) !== 0;
  }

  get isWaitingInDqbuf(): boolean {
    return this.#waitingInDqbuf;
  }

  isOwnedByAnother(file: OpenFile): boolean {
    return this.owner !== undefined && this.owner !== file;
  }

  // --- allocation ----------------------------------------------------------------------------------------------------

  /** Source: vb2_core_reqbufs. @returns how many there are now @throws ErrnoError EBUSY, ENOMEM, and the driver's */
  reqbufs(memory: number, count: number): number {
    const op = 'VIDIOC_REQBUFS';
    if (this.streaming) throw vb2Error('EBUSY', op, 'the queue is streaming');
    if (this.#waitingInDqbuf && count > 0) throw vb2Error('EBUSY', op, 'somebody waits in DQBUF');
    if (count === 0 || this.buffers.count > 0) {
      this.#cancel();
      this.#free(0, this.options.maxBuffers);
      this.isBusy = false;
      if (count === 0) return 0;
    }
    const { minBuffers, maxBuffers } = this.options;
    this.memory = memory;
    const made = this.#allocate(Math.min(Math.max(count, minBuffers), maxBuffers), [], op);
    if (made.length < minBuffers) {
      this.#free(0, maxBuffers);
      throw vb2Error('ENOMEM', op, `there is memory for ${made.length} buffers, ${minBuffers} are needed`);
    }
    this.#waitingForBuffers = !this.options.isOutput;
    this.isBusy = true;
    return made.length;
  }

  /** Source: vb2_core_create_bufs. @throws ErrnoError ENOBUFS, EBUSY, EINVAL, ENOMEM, and the driver's */
  createBufs(memory: number, count: number, sizes: readonly number[]): { first: number; count: number } {
    const op = 'VIDIOC_CREATE_BUFS';
    const had = this.buffers.count;
    if (had === this.options.maxBuffers) throw vb2Error('ENOBUFS', op, `there are ${had} buffers already`);
    if (had === 0) {
      if (this.#waitingInDqbuf) throw vb2Error('EBUSY', op, 'somebody waits in DQBUF');
      this.memory = memory;
      this.#waitingForBuffers = !this.options.isOutput;
    } else if (this.memory !== memory) {
      throw vb2Error('EINVAL', op, `the other buffers have memory ${this.memory}`);
    }
    const made = this.#allocate(count, sizes, op);
    this.isBusy = true;
    return { first: made[0].index, count: made.length };
  }

  #allocate(count: number, wanted: readonly number[], op: string): Vb2Buffer[] {
    const had = this.buffers.count;
    try {
      const made = this.buffers.add(count, this.memory, this.ops.queueSetup(wanted));
      if (made.length === 0) throw vb2Error('ENOMEM', op, 'there is no memory for a buffer');
      return made;
    } catch (error) {
      if (had === 0) this.memory = 0;
      throw error;
    }
  }

  /** Source: vb2_core_remove_bufs. @throws ErrnoError EINVAL, EBUSY; nothing is removed then */
  removeBufs(start: number, count: number): void {
    const op = 'VIDIOC_REMOVE_BUFS';
    if (count === 0) return;
    if (count > this.buffers.count || start > this.options.maxBuffers - count)
      throw vb2Error('EINVAL', op, `there are no ${count} buffers from ${start} on`);
    for (let index = start; index < start + count; index += 1) {
      const buffer = this.buffers.at(index);
      if (buffer === undefined) throw vb2Error('EINVAL', op, `there is no buffer ${index}`);
      if (buffer.state !== 'dequeued') throw vb2Error('EBUSY', op, `buffer ${index} is ${buffer.state}`);
    }
    this.#free(start, count);
  }

  /** Source: __vb2_queue_free. */
  #free(start: number, count: number): void {
    this.buffers.free(start, count);
    if (this.buffers.count > 0) return;
    this.memory = 0;
    this.#queued = [];
  }

  // --- queueing ------------------------------------------------------------------------------------------------------

  /** What the driver has to say against a buffer that it is to read. @throws ErrnoError of the driver */
  validate(buffer: Vb2Buffer): void {
    if (this.options.isOutput) this.ops.validateOutput?.(buffer);
  }

  /** Source: __buf_prepare. @throws ErrnoError EIO, and what is wrong with the buffer */
  *prepare(buffer: Vb2Buffer, process: Process | undefined): Task<void> {
    if (this.error) throw vb2Error('EIO', 'VIDIOC_QBUF', 'a fatal error has occurred on the queue');
    if (buffer.prepared) return;
    this.validate(buffer);
    const { state } = buffer;
    buffer.state = 'preparing';
    this.#isPreparing = true;
    try {
      yield* prepareBuffer(buffer, {
        memory: this.memory,
        process,
        importDmaBuf: (file, lengthBytes) => this.options.memory.importDmaBuf(file, lengthBytes),
        accept: (one) => this.ops.prepare(one),
      });
    } finally {
      this.#isPreparing = false;
      this.kernel.changed();
      buffer.state = state;
    }
    buffer.synced = true;
    buffer.prepared = true;
  }

  /** Source: vb2_core_prepare_buf. @throws ErrnoError EINVAL, and what is wrong with the buffer */
  *prepareOnly(buffer: Vb2Buffer, process: Process): Task<void> {
    if (buffer.state !== 'dequeued' || buffer.prepared)
      throw vb2Error('EINVAL', 'VIDIOC_PREPARE_BUF', `buffer ${buffer.index} is ${buffer.state} or prepared`);
    yield* this.prepare(buffer, process);
  }

  /** Waits while a buffer is being prepared: the lock of the queue. Source: vb2_queue.lock. */
  *untilFree(process: Process): Task<void> {
    const look = (): true | undefined => (this.#isPreparing ? undefined : true);
    if (this.#isPreparing) yield* process.wait(look, Number.POSITIVE_INFINITY, 'the lock of a video queue');
  }

  /** Source: vb2_core_qbuf. @throws ErrnoError EIO, EBUSY, EINVAL, and what is wrong with the buffer */
  *qbuf(buffer: Vb2Buffer, process: Process | undefined): Task<void> {
    const op = 'VIDIOC_QBUF';
    if (this.error) throw vb2Error('EIO', op, 'a fatal error has occurred on the queue');
    const inRequest = buffer.state === 'in request';
    if (!inRequest && this.usesRequests) throw vb2Error('EBUSY', op, 'the queue is used with requests');
    if (!inRequest) this.usesQbuf = true;
    if (buffer.state !== 'dequeued' && !inRequest)
      throw vb2Error('EINVAL', op, `buffer ${buffer.index} is ${buffer.state}`);
    yield* this.prepare(buffer, process);
    this.#queued.push(buffer);
    this.#waitingForBuffers = false;
    buffer.state = 'queued';
    if (this.started) this.#giveToDriver(buffer);
  }

  #giveToDriver(buffer: Vb2Buffer): void {
    buffer.state = 'active';
    this.#workBegins(buffer);
    this.ops.enqueue(buffer);
  }

  /** The device may touch it from now on, and nothing on the buffer says so. */
  #workBegins(buffer: Vb2Buffer): void {
    const { name: who, isOutput } = this.options;
    const access = isOutput ? 'read' : 'write';
    buffer.workEnds = [...buffer.sharedAs].map(({ object }) =>
      this.kernel.syncAudit.silentWorkBegins({ buffer: object, who, op: 'VIDIOC_QBUF', access }),
    );
  }

  /** The driver is done with a buffer; `queued` gives it back untouched. Source: vb2_buffer_done. */
  done(buffer: Vb2Buffer, state: 'done' | 'error' | 'queued'): void {
    buffer.state = state;
    for (const end of buffer.workEnds) end();
    buffer.workEnds = [];
    if (state === 'queued') return;
    buffer.synced = false;
    this.#done.push(buffer);
    buffer.unbind();
    this.kernel.changed();
  }

  // --- dequeueing ----------------------------------------------------------------------------------------------------

  /** Source: vb2_core_dqbuf. @throws ErrnoError EBUSY, EINVAL, EIO, EAGAIN */
  *dqbuf(process: Process, nonblocking: boolean, { verify, report }: DequeueSteps): Task<Vb2Buffer> {
    yield* this.#waitForDone(process, nonblocking);
    const [buffer] = this.#done;
    verify?.(buffer);
    this.#done.shift();
    this.ops.finish?.(buffer);
    buffer.prepared = false;
    report?.(buffer);
    this.#queued = this.#queued.filter((one) => one !== buffer);
    buffer.dequeue();
    buffer.dropRequest();
    return buffer;
  }

  /** Source: __vb2_wait_for_done_vb. */
  *#waitForDone(process: Process, nonblocking: boolean): Task<void> {
    const op = 'VIDIOC_DQBUF';
    for (;;) {
      if (this.#waitingInDqbuf) throw vb2Error('EBUSY', op, 'somebody else waits for a buffer');
      if (!this.streaming) throw vb2Error('EINVAL', op, 'the queue is not streaming');
      if (this.error) throw vb2Error('EIO', op, 'a fatal error has occurred on the queue');
      if (this.lastBufferDequeued) throw vb2Error('EPIPE', op, 'the last buffer of the stream has been dequeued');
      if (this.#done.length > 0) return;
      if (nonblocking) throw vb2Error('EAGAIN', op, 'no buffer is done');
      this.#waitingInDqbuf = true;
      try {
        const look = (): true | undefined =>
          this.#done.length > 0 || !this.streaming || this.error ? true : undefined;
        yield* process.wait(look, Number.POSITIVE_INFINITY, 'a video buffer');
      } finally {
        this.#waitingInDqbuf = false;
      }
    }
  }

  // --- streaming -----------------------------------------------------------------------------------------------------

  /** Source: vb2_core_streamon. @throws ErrnoError EINVAL, and the driver's */
  streamOn(): void {
    if (this.streaming) return;
    if (this.buffers.count === 0) throw vb2Error('EINVAL', 'VIDIOC_STREAMON', 'no buffers have been allocated');
    for (const buffer of this.#queued) this.#giveToDriver(buffer);
    this.started = true;
    try {
      this.ops.startStreaming();
    } catch (error) {
      this.started = false;
      throw error;
    }
    this.streaming = true;
  }

  /** All buffers go back to user space, whether it streams or not. Source: vb2_core_streamoff. */
  streamOff(): void {
    this.#cancel();
    this.#waitingForBuffers = !this.options.isOutput;
    this.lastBufferDequeued = false;
  }

  /** Nothing goes on any more until STREAMOFF. Source: vb2_queue_error. */
  fail(): void {
    this.error = true;
    this.kernel.changed();
  }

  /** Source: __vb2_queue_cancel. */
  #cancel(): void {
    if (this.started) this.ops.stopStreaming();
    this.streaming = this.started = this.error = this.usesRequests = this.usesQbuf = false;
    this.#queued = [];
    this.#done = [];
    for (const buffer of this.buffers.all()) {
      buffer.synced = false;
      if (buffer.prepared) this.ops.finish?.(buffer);
      buffer.prepared = false;
      buffer.dequeue();
      buffer.unbind();
      buffer.dropRequest();
    }
    this.kernel.changed();
  }

  /** The owner is gone. Source: vb2_core_queue_release. */
  release(): void {
    this.fileIo.stop();
    this.#cancel();
    this.#free(0, this.options.maxBuffers);
    this.isBusy = false;
    this.owner = undefined;
  }

  // --- poll ----------------------------------------------------------------------------------------------------------

  /** Source: vb2_core_poll. Polling a queue without buffers starts read or write mode. */
  poll(events: number, file: OpenFile): number {
    const { isOutput } = this.options;
    const direction = isOutput ? POLL.OUT | POLL.WRNORM : POLL.IN | POLL.RDNORM;
    if ((events & direction) === 0) return 0;
    const canFileIo = this.allows(isOutput ? VB2_IO.WRITE : VB2_IO.READ);
    if (this.buffers.count === 0 && !this.fileIo.isActive && canFileIo) {
      if (!this.fileIo.tryStart()) return POLL.ERR;
      this.owner = file;
      if (isOutput) return direction;
    }
    if (!this.streaming || this.error || this.#waitingForBuffers) return POLL.ERR;
    if (isOutput && this.fileIo.isActive && this.queuedCount < this.buffers.count) return direction;
    return this.#done.length > 0 || this.lastBufferDequeued ? direction : 0;
  }
}
