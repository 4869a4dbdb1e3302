export type { LayoutContribution, LayoutOperator, LayoutResolved } from '../provenance.js';
export type { Arrangement, PlaneLayout } from './arrange.js';
export * from './buffer-counts.js';
export * from './check-import.js';
export * from './check-layout.js';
export { explainLayout } from './explain-layout.js';
export * from './formats.js';
export type { KernelOutcome } from './kernel-outcome.js';
export * from './layout-constraints.js';
export {
  describeFact as describeLayoutFact,
  describeValue as describeLayoutValue,
  type LayoutFact,
  type LayoutField,
  type LayoutValue,
} from './layout-facts.js';
export type { LayoutHazard } from './layout-hazards.js';
export { type LayoutRepair, REPAIR_KINDS, type RepairedLayout } from './layout-repair.js';
export * from './layout-result.js';
export {
  combineLayoutRules,
  type LayoutDimension,
  type LayoutFlag,
  type MergedLayoutRules,
  mergeLayoutRules,
  type ParticipantRules,
} from './merge-layout.js';
export * from './negotiate.js';
