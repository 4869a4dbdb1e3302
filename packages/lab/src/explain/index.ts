export * from './explain.js';
export { explanationText } from './explain-text.js';
export type { AttachForecast, DetachForecast } from './forecast.js';
export { WhatIfError } from './what-if.js';
