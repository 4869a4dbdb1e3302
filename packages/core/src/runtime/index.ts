export * from './actor.js';
export * from './runtime-words.js';
export * from './turn.js';
export { VirtualRuntime, type VirtualOptions } from './virtual/virtual-runtime.js';
export { ThreadsRuntime, type ThreadsOptions } from './threads/threads-runtime.js';
