export { sendsGarbage as default } from './breaks-a-rule.js';
