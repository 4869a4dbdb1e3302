export { handsOnEarly as default } from './breaks-a-rule.js';
