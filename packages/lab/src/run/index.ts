export { divergenceBetween, type Execute, type Fingerprinted, hashedExecution } from './divergence.js';
export { type ExecuteOptions, executeRun } from './execute.js';
export type { ExporterReport } from './exporter-actor.js';
export { type PoolAllocation, type PreparedRun, prepareRun } from './prepare.js';
export { type RunScenarioOptions, runScenario } from './run-scenario.js';
