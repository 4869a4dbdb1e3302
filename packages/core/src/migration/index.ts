export * from './move.js';
