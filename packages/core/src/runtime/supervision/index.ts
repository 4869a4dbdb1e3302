export * from './faults.js';
export * from './incident-log.js';
export * from './restart-policy.js';
export * from './supervisor.js';
