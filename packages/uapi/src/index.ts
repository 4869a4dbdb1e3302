/** What user space sees: processes, descriptors, ioctls and device nodes. */
export * from './abi/index.js';
export * from './devices/dma-heap.js';
export * from './devices/drm/drm-device.js';
export { DrmFile } from './devices/drm/drm-file.js';
export { releaseSyncObjects, syncobjIoctls } from './devices/drm/syncobj-ioctls.js';
export * from './devices/drm/vgem.js';
export * from './devices/udmabuf.js';
export * from './files/dma-buf.js';
export * from './files/eventfd.js';
export * from './files/memfd.js';
export * from './files/sync-file.js';
export * from './kernel/address-space.js';
export * from './kernel/fd-table.js';
export * from './kernel/kernel.js';
export * from './kernel/open-file.js';
export * from './kernel/pages.js';
export * from './kernel/process.js';
export * from './kernel/user-memory.js';
