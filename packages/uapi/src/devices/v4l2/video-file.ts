/** An open file of a video node. Source: v4l2-dev.c, video_usercopy in v4l2-ioctl.c, v6.12. */
import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
import { O, POLL, PROT } from '../../abi/fcntl.js';
import { IOC, ioctlDirection, ioctlSize } from '../../abi/ioctl.js';
import type { VmaRequest } from '../../kernel/address-space.js';
import type { SimulatedKernel } from '../../kernel/kernel.js';
import { type Inode, type IoctlCall, OpenFile } from '../../kernel/open-file.js';
import type { Process } from '../../kernel/process.js';
import { vb2Error } from './vb2-buffer.js';
import { VIDEO_IOCTLS } from './video-ioctls.js';
import type { VideoNode } from './video-node.js';

export function addVideoNode(kernel: SimulatedKernel, path: string, node: VideoNode): void {
  const inode = kernel.deviceInode();
  kernel.addNode(path, (flags) => new VideoFile(node, path, inode, flags));
}

export class VideoFile extends OpenFile {
  constructor(
    readonly node: VideoNode,
    readonly linkTarget: string,
    private readonly nodeInode: Inode,
    flags: number,
  ) {
    if (node.isUnplugged) throw new ErrnoError('ENODEV', 'open', `Cannot open ${linkTarget}: it has been unplugged`);
    super(flags | O.LARGEFILE);
    node.opened();
  }

  override get inode(): Inode {
    return this.nodeInode;
  }

  override reopen(flags: number): OpenFile {
    return new VideoFile(this.node, this.linkTarget, this.nodeInode, flags);
  }

  /** Reading at a place is allowed, and the place is not looked at. */
  override get positional(): boolean {
    return true;
  }

  /** Buffers that nobody owns go with any open file. Source: _vb2_fop_release. */
  protected override release(): void {
    this.node.closed();
    const { queue } = this.node;
    if (!queue.isOwnedByAnother(this)) queue.release();
  }

  #refuseUnplugged(op: string): void {
    if (this.node.isUnplugged) throw new ErrnoError('ENODEV', op, `Cannot ${op}: the device has been unplugged`);
  }

  /** Source: vb2_fop_poll, v4l2_poll. */
  override poll(events: number): number {
    if (this.node.isUnplugged) return POLL.ERR | POLL.HUP | POLL.PRI;
    return this.node.queue.poll(events, this);
  }

  /** Source: vb2_fop_mmap. */
  override mmap(vma: VmaRequest): void {
    this.#refuseUnplugged('mmap');
    const { queue } = this.node;
    queue.mmap(vma, queue.options.isOutput ? PROT.WRITE : PROT.READ);
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
    const answer = yield* ioctl.run({ file: this, node: this.node, process, bytes });
    if (ioctlDirection(command) >= IOC.read) process.user.write(argument, answer, ioctl.name);
    return 0;
  }
}
