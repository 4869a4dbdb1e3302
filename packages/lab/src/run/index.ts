export { executeRun } from './execute.js';
export { type PoolAllocation, type PreparedRun, prepareRun } from './prepare.js';
