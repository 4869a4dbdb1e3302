/** Typed calls for programs: names in place of numbers, and the kernel's errno. */
export * from './display.js';
export * from './dma-buf.js';
export * from './dma-heap.js';
export * from './drm.js';
export * from './render.js';
export * from './sync-file.js';
export * from './syncobj.js';
