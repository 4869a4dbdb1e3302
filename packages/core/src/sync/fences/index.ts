export * from './fence.js';
export * from './fence-array.js';
export * from './fence-chain.js';
export * from './fence-contexts.js';
export * from './fence-stub.js';
export * from './fence-unwrap.js';
export * from './sync-file.js';
