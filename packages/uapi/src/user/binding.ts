/** How a program takes a driver off a device, and puts it back. Source: Documentation/ABI/testing/sysfs-bus-platform, v6.12. */
import type { Task } from '@dmabuf-lab/core/base';
import { O } from '../abi/fcntl.js';
import type { Process } from '../kernel/process.js';

/** Unbinds a device: whoever is blocked in a call on its nodes gets ENODEV. @throws ErrnoError ENOENT, ENODEV */
export function unbindDevice(process: Process, driver: string, device: string): Task<void> {
  return writeTo(process, `/sys/bus/platform/drivers/${driver}/unbind`, device);
}

/** Binds it again: its nodes are new. @throws ErrnoError ENOENT, ENODEV, EBUSY when it is bound */
export function bindDevice(process: Process, driver: string, device: string): Task<void> {
  return writeTo(process, `/sys/bus/platform/drivers/${driver}/bind`, device);
}

function* writeTo(process: Process, path: string, text: string): Task<void> {
  const fd = process.open(path, O.WRONLY | O.CLOEXEC);
  try {
    yield* process.write(fd, new TextEncoder().encode(`${text}\n`));
  } finally {
    process.close(fd);
  }
}
