/** eventfd(2): a counter to be polled and read. Source: fs/eventfd.c, v6.12. */
import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
import { O, POLL } from '../abi/fcntl.js';
import type { SimulatedKernel } from '../kernel/kernel.js';
import { OpenFile } from '../kernel/open-file.js';
import type { Process } from '../kernel/process.js';

const MOST = 2n ** 64n - 2n;

export class EventFile extends OpenFile {
  readonly linkTarget = 'anon_inode:[eventfd]';
  #count = 0n;

  constructor(
    private readonly kernel: SimulatedKernel,
    flags: number,
  ) {
    super(O.RDWR | (flags & O.NONBLOCK));
  }

  /** Adds 1, without blocking. Source: eventfd_signal. */
  signal(): void {
    if (this.#count < MOST) this.#count += 1n;
    this.kernel.changed();
  }

  /** Source: noop_llseek. */
  override seek(): number {
    return this.position;
  }

  override poll(): number {
    return (this.#count > 0n ? POLL.IN : 0) | (this.#count < MOST ? POLL.OUT : 0);
  }

  override *read(process: Process, lengthBytes: number): Task<Uint8Array> {
    if (lengthBytes < 8) throw new ErrnoError('EINVAL', 'read', 'Cannot read an eventfd: fewer than 8 bytes');
    const take = (): bigint | undefined => (this.#count > 0n ? this.#count : undefined);
    let count = take();
    if (count === undefined && this.nonblocking)
      throw new ErrnoError('EAGAIN', 'read', 'Cannot read: the counter is 0');
    count ??= yield* process.wait(take, Number.POSITIVE_INFINITY, 'an eventfd');
    this.#count = 0n;
    this.kernel.changed();
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, count ?? 0n, true);
    return bytes;
  }

  override *write(_process: Process, bytes: Uint8Array): Task<number> {
    if (bytes.length < 8) throw new ErrnoError('EINVAL', 'write', 'Cannot write an eventfd: fewer than 8 bytes');
    const value = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
    if (value > MOST) throw new ErrnoError('EINVAL', 'write', 'Cannot write an eventfd: the value is too large');
    if (this.#count + value > MOST) throw new ErrnoError('EAGAIN', 'write', 'Cannot write: the counter is full');
    this.#count += value;
    this.kernel.changed();
    return 8;
  }
}
