export * from './buddy-allocator.js';
export * from './cma-heap.js';
export * from './contiguous-allocator.js';
export * from './storage-costs.js';
export * from './system-heap.js';
