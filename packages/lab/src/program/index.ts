export type { ProgramMain, ProgramReport } from './program-actor.js';
export * from './run-program.js';
