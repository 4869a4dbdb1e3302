export { executeRun } from './execute.js';
export { type PreparedRun, prepareRun } from './prepare.js';
