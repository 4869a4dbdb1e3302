export { neverSeals as default } from './breaks-a-rule.js';
