export * from './dma-buf.js';
export * from './dma-heap.js';
export * from './fcntl.js';
export * from './ioctl.js';
export * from './struct.js';
export * from './sync-file.js';
export * from './udmabuf.js';
