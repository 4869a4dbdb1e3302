export * from './attachment.js';
export * from './caller.js';
export * from './dma-buf-object.js';
export * from './lock-rules.js';
export * from './object-ops.js';
export * from './rules.js';
export * from './unlocked.js';
export * from './wake-list.js';
