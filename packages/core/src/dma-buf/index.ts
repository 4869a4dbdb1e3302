export * from './buffer-words.js';
export * from './dma-heap.js';
export * from './exported-buffer.js';
export * from './exporter.js';
export * from './exporter-words.js';
export * from './importer.js';
export * from './protocol.js';
