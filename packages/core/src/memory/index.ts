export * from './iommu.js';
export * from './physical-memory.js';
export * from './sg-table.js';
export { MAX_MEMORY_BYTES } from './wasm-memory.js';
