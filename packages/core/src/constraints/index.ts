export * from './conflict-sets.js';
export * from './describe.js';
export * from './layout/index.js';
export * from './numbers.js';
export * from './placement/index.js';
export * from './sharing.js';
