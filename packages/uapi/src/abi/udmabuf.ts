/** Source: include/uapi/linux/udmabuf.h, v6.12. */
import { iow } from './ioctl.js';
import { struct, u32, u64 } from './struct.js';

export const UDMABUF_FLAGS = { CLOEXEC: 1 } as const;

export const udmabufCreate = struct('udmabuf_create', { memfd: u32, flags: u32, offset: u64, size: u64 });
export const udmabufCreateItem = struct('udmabuf_create_item', { memfd: u32, __pad: u32, offset: u64, size: u64 });
/** The items follow it in memory. */
export const udmabufCreateList = struct('udmabuf_create_list', { flags: u32, count: u32 });

export const UDMABUF_CREATE = iow('UDMABUF_CREATE', 'u', 0x42, udmabufCreate);
export const UDMABUF_CREATE_LIST = iow('UDMABUF_CREATE_LIST', 'u', 0x43, udmabufCreateList);
