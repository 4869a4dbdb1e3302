export * from './check.js';
export { windowsOf } from './check-memory.js';
export * from './document.js';
export * from './json-schema.js';
export * from './load.js';
export * from './overrides.js';
export * from './problem.js';
export * from './schema.js';
export * from './units.js';
