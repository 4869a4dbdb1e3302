export * from './actor.js';
export * from './guarded-services.js';
export * from './runtime-words.js';
export * from './supervision/index.js';
export { type ThreadsOptions, ThreadsRuntime } from './threads/threads-runtime.js';
export * from './turn.js';
export { type EventTarget, type VirtualOptions, VirtualRuntime } from './virtual/virtual-runtime.js';
export * from './wait-owners.js';
