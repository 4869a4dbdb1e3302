export { writesAfterFree as default } from './breaks-a-rule.js';
