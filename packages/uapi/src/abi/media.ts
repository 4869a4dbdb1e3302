/** Media devices and requests. Source: include/uapi/linux/media.h, v6.12. */
import { io, ior } from './ioctl.js';
import { s32, struct } from './struct.js';

export const mediaRequestFd = struct('int', { fd: s32 });

export const MEDIA_IOC_REQUEST_ALLOC = ior('MEDIA_IOC_REQUEST_ALLOC', '|', 0x05, mediaRequestFd);
export const MEDIA_REQUEST_IOC_QUEUE = io('MEDIA_REQUEST_IOC_QUEUE', '|', 0x80);
export const MEDIA_REQUEST_IOC_REINIT = io('MEDIA_REQUEST_IOC_REINIT', '|', 0x81);
