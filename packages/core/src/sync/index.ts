export * from './dma-fence.js';
export * from './dma-resv.js';
export * from './fences/index.js';
export * from './lock-order-words.js';
export * from './resv-words.js';
export * from './timeline-words.js';
