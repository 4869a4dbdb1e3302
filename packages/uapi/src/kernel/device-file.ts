/** An open file of a device node: it leads back to the node, which opens it again. */
import { O } from '../abi/fcntl.js';
import type { SimulatedKernel } from './kernel.js';
import { type Inode, OpenFile } from './open-file.js';

/** A device node. */
export interface DeviceNode {
  readonly path: string;
  readonly inode: Inode;
  /** @param flags of open(2) */
  open(flags: number): OpenFile;
}

/** Adds a node. @param mode st_mode; a character device that its owner may use when absent */
export function addDeviceNode(
  kernel: SimulatedKernel,
  path: string,
  open: (node: DeviceNode, flags: number) => OpenFile,
  mode?: number,
): void {
  const inode = { ...kernel.deviceInode(), ...(mode !== undefined && { mode }) };
  const node: DeviceNode = { path, inode, open: (flags) => open(node, flags) };
  kernel.addNode(path, (flags) => node.open(flags));
}

export abstract class DeviceFile extends OpenFile {
  constructor(
    private readonly node: DeviceNode,
    flags: number,
  ) {
    super(flags | O.LARGEFILE);
  }

  get linkTarget(): string {
    return this.node.path;
  }

  override get inode(): Inode {
    return this.node.inode;
  }

  override reopen(flags: number): OpenFile {
    return this.node.open(flags);
  }
}
