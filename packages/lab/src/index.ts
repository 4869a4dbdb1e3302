/** dmabuf-lab as a library: load a scenario, run it, read the result. */
export * from './compare/index.js';
export * from './conform/index.js';
export * from './explain/index.js';
export * from './history/index.js';
export * from './library/index.js';
export * from './loader/index.js';
export { type MachineOptions, PROGRAM_WINDOWS, startKernel } from './machine/index.js';
export * from './new-driver/index.js';
export * from './program/index.js';
export * from './report/index.js';
export * from './result/index.js';
export * from './run/index.js';
export * from './scenario/index.js';
export * from './stress/index.js';
