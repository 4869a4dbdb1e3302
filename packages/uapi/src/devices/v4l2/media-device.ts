/** /dev/mediaN: hands out requests. Source: drivers/media/mc/mc-device.c, v6.12. */
import type { Task } from '@dmabuf-lab/core/base';
import { O } from '../../abi/fcntl.js';
import { MEDIA_IOC_REQUEST_ALLOC, mediaRequestFd } from '../../abi/media.js';
import { addDeviceNode, DeviceFile, type DeviceNode } from '../../kernel/device-file.js';
import type { SimulatedKernel } from '../../kernel/kernel.js';
import type { IoctlCall } from '../../kernel/open-file.js';
import { type MediaDevice, MediaRequest, MediaRequestFile } from './media-request.js';

export function addMediaNode(kernel: SimulatedKernel, path: string, device: MediaDevice): void {
  addDeviceNode(kernel, path, (node, flags) => new MediaFile(kernel, device, node, flags));
}

class MediaFile extends DeviceFile {
  constructor(
    private readonly kernel: SimulatedKernel,
    private readonly device: MediaDevice,
    node: DeviceNode,
    flags: number,
  ) {
    super(node, flags);
  }

  /** Source: media_device_request_alloc. */
  override *ioctl(call: IoctlCall): Task<number> {
    const { process, command, argument } = call;
    if (command !== MEDIA_IOC_REQUEST_ALLOC.number) return yield* super.ioctl(call);
    const request = new MediaRequest(this.kernel, this.device);
    const fd = process.install(new MediaRequestFile(request), O.CLOEXEC);
    process.user.writeStruct(argument, mediaRequestFd, { fd }, MEDIA_IOC_REQUEST_ALLOC.name);
    return 0;
  }
}
