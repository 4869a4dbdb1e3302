export { overwritesWords as default } from './breaks-a-rule.js';
