export * from './board.js';
export * from './check-constraints.js';
export * from './constraints-of.js';
export * from './describe.js';
export * from './library.js';
export * from './profile.js';
export * from './provenance.js';
export * from './schema.js';
