export * from './compare-policies.js';
export { comparisonText } from './comparison-text.js';
