export type { ProgramMain, ProgramOptions, ProgramReport } from './program-actor.js';
export * from './program-text.js';
export * from './run-program.js';
