export * from './layout-constraints.js';
