/** An open file of a video node. Source: v4l2-dev.c, video_usercopy in v4l2-ioctl.c, v6.12. */
import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
import { O, PAGE_BYTES, POLL, PROT } from '../../abi/fcntl.js';
import { IOC, ioctlDirection, ioctlSize } from '../../abi/ioctl.js';
import type { VmaRequest } from '../../kernel/address-space.js';
import type { SimulatedKernel } from '../../kernel/kernel.js';
import { type Inode, type IoctlCall, OpenFile } from '../../kernel/open-file.js';
import type { Process } from '../../kernel/process.js';
import { vb2Error } from './vb2-buffer.js';
import { VB2_IO } from './vb2-ops.js';
import type { Vb2Queue } from './vb2-queue.js';
import { mapBuffer } from './vb2-sharing.js';
import { VIDEO_IOCTLS } from './video-ioctls.js';
import { CAPTURE_OFFSETS, queuesOf, type VideoNode } from './video-node.js';

/** @param open gives the device, or what each open file has of it */
export function addVideoNode(kernel: SimulatedKernel, path: string, open: () => VideoNode): void {
  const inode = kernel.deviceInode();
  kernel.addNode(path, (flags) => new VideoFile(open, path, inode, flags));
}

export class VideoFile extends OpenFile {
  readonly node: VideoNode;

  constructor(
    private readonly openDevice: () => VideoNode,
    readonly linkTarget: string,
    private readonly nodeInode: Inode,
    flags: number,
  ) {
    const node = openDevice();
    if (node.isUnplugged) throw new ErrnoError('ENODEV', 'open', `Cannot open ${linkTarget}: it has been unplugged`);
    super(flags | O.LARGEFILE);
    this.node = node;
    node.opened();
  }

  override get inode(): Inode {
    return this.nodeInode;
  }

  override reopen(flags: number): OpenFile {
    return new VideoFile(this.openDevice, this.linkTarget, this.nodeInode, flags);
  }

  /** Reading at a place is allowed, and the place is not looked at. */
  override get positional(): boolean {
    return true;
  }

  /** Buffers that nobody owns go with any open file. Source: _vb2_fop_release, v4l2_m2m_ctx_release. */
  protected override release(): void {
    this.node.closed();
    for (const queue of queuesOf(this.node)) if (!queue.isOwnedByAnother(this)) queue.release();
  }

  override get isGone(): boolean {
    return this.node.isUnbound === true;
  }

  #refuseUnplugged(op: string): void {
    if (this.node.isUnplugged) throw new ErrnoError('ENODEV', op, `Cannot ${op}: the device has been unplugged`);
  }

  /** Source: vb2_fop_poll, v4l2_poll. */
  override poll(events: number): number {
    const { isUnplugged, queue, sourceQueue } = this.node;
    if (isUnplugged) return POLL.ERR | POLL.HUP | POLL.PRI;
    return sourceQueue === undefined ? queue.poll(events, this) : pollBoth(sourceQueue, queue, events);
  }

  /** Source: vb2_fop_mmap, v4l2_m2m_mmap. */
  override mmap(vma: VmaRequest): void {
    this.#refuseUnplugged('mmap');
    const { queue: capture, sourceQueue } = this.node;
    const queue = vma.first < CAPTURE_OFFSETS / PAGE_BYTES ? (sourceQueue ?? capture) : capture;
    mapBuffer(queue, vma, queue.options.isOutput ? PROT.WRITE : PROT.READ);
  }

  /** Source: vb2_fop_read. */
  override *read(process: Process, lengthBytes: number, at: number | undefined): Task<Uint8Array> {
    this.#beginFileIo('read', false);
    try {
      const bytes = yield* this.node.queue.fileIo.read(process, this.nonblocking, lengthBytes);
      if (at === undefined) this.position += bytes.length;
      return bytes;
    } finally {
      this.#endFileIo();
    }
  }

  /** Source: vb2_fop_write. */
  override *write(process: Process, bytes: Uint8Array, at: number | undefined): Task<number> {
    this.#beginFileIo('write', true);
    try {
      const count = yield* this.node.queue.fileIo.write(process, this.nonblocking, bytes);
      if (at === undefined) this.position += count;
      return count;
    } finally {
      this.#endFileIo();
    }
  }

  #beginFileIo(op: string, isWrite: boolean): void {
    this.#refuseUnplugged(op);
    const { queue } = this.node;
    if (queue.options.isOutput !== isWrite) throw vb2Error('EINVAL', op, 'the node goes the other way');
    if (!queue.allows(isWrite ? VB2_IO.WRITE : VB2_IO.READ)) throw vb2Error('EINVAL', op, 'the node only streams');
    if (queue.isOwnedByAnother(this)) throw vb2Error('EBUSY', op, 'another open file has the buffers');
    queue.owner = this;
  }

  /** Whoever could not begin does not keep the queue. */
  #endFileIo(): void {
    const { queue } = this.node;
    if (!queue.fileIo.isActive) queue.owner = undefined;
  }

  override *ioctl(call: IoctlCall): Task<number> {
    const { process, command, argument } = call;
    this.#refuseUnplugged('ioctl');
    const ioctl = VIDEO_IOCTLS.get(command);
    const isWritten = Math.floor(ioctlDirection(command) / IOC.write) % 2 === 1;
    const bytes = isWritten ? process.user.read(argument, ioctlSize(command), ioctl?.name ?? 'ioctl') : undefined;
    if (ioctl === undefined) return yield* super.ioctl(call);
    for (const queue of queuesOf(this.node)) yield* queue.untilFree(process);
    const answer = yield* ioctl.run({ file: this, node: this.node, process, bytes });
    if (ioctlDirection(command) >= IOC.read) process.user.write(argument, answer, ioctl.name);
    return 0;
  }
}

/** Source: v4l2_m2m_poll_for_data, v6.12. */
function pollBoth(source: Vb2Queue, capture: Vb2Queue, events: number): number {
  const input = POLL.IN | POLL.RDNORM;
  const output = POLL.OUT | POLL.WRNORM;
  if ((events & (input | output)) === 0) return 0;
  const isIdle = ({ streaming, error, queuedCount }: Vb2Queue): boolean => !streaming || error || queuedCount === 0;
  if (isIdle(source) && isIdle(capture) && !(capture.streaming && !capture.error && capture.lastBufferDequeued))
    return POLL.ERR;
  const isReadable = capture.doneCount > 0 || capture.lastBufferDequeued;
  return ((source.doneCount > 0 ? output : 0) | (isReadable ? input : 0)) & (events | POLL.ERR);
}
