export type {
  ProgramDeviceReport,
  ProgramMain,
  ProgramOptions,
  ProgramOutcome,
  ProgramReport,
} from './program-actor.js';
export { PROGRAM_LIMIT_NS } from './program-actor.js';
export * from './program-text.js';
export * from './run-program.js';
export { devicesOf, type ProgramDevice } from './scenario-devices.js';
