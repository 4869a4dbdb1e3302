/** The files of a driver in /sys by which its devices are bound and unbound. Source: drivers/base/bus.c, fs/sysfs/file.c, v6.12. */
import { ErrnoError, type Task } from '@dmabuf-lab/core/base';
import { O } from '../abi/fcntl.js';
import { addDeviceNode, DeviceFile, type DeviceNode } from '../kernel/device-file.js';
import type { SimulatedKernel } from '../kernel/kernel.js';
import type { Process } from '../kernel/process.js';

/** What a driver does with the name of a device that is written to it. */
export interface DriverBinding {
  /** @throws ErrnoError ENODEV when it drives no such device; EBUSY when that is bound */
  bind(device: string): void;
  /** @throws ErrnoError ENODEV when no such device is bound to it */
  unbind(device: string): void;
}

/** A regular file that its owner may write. */
const WRITE_ONLY_MODE = 0o100200;

/** Adds `/sys/bus/platform/drivers/NAME/bind` and `unbind`. */
export function addDriverAttributes(kernel: SimulatedKernel, driver: string, binding: DriverBinding): void {
  for (const what of ['bind', 'unbind'] as const) {
    const path = `/sys/bus/platform/drivers/${driver}/${what}`;
    const open = (node: DeviceNode, flags: number): DeviceFile =>
      new AttributeFile(node, flags, (device) => binding[what](device));
    addDeviceNode(kernel, path, open, WRITE_ONLY_MODE);
  }
}

class AttributeFile extends DeviceFile {
  /** @throws ErrnoError EACCES for reading, since there is nothing to show */
  constructor(
    node: DeviceNode,
    flags: number,
    private readonly store: (text: string) => void,
  ) {
    if ((flags & O.ACCMODE) !== O.WRONLY) {
      throw new ErrnoError('EACCES', 'open', `Cannot open ${node.path}: it can only be written`);
    }
    super(node, flags);
  }

  /** The whole of a write is one name, with or without a line feed. Source: bind_store, unbind_store. */
  override *write(_process: Process, bytes: Uint8Array): Task<number> {
    this.store(new TextDecoder().decode(bytes).replace(/\n$/, ''));
    return bytes.length;
  }
}
