export { CaseFileError, type ConformanceCase, parseCases } from './case-file.js';
export * from './conform.js';
export { conformanceText } from './conform-text.js';
