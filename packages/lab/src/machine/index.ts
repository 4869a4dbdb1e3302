export * from './machine.js';
export type { NodeKind, ScenarioNode } from './scenario-nodes.js';
export { addScenarioNodes } from './scenario-nodes.js';
