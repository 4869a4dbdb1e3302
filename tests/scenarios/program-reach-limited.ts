export { limited as main } from './program-reach.js';
