export { type CheckOptions, CheckRefusedError, checkDriver } from './check-driver.js';
export type { CheckRequest } from './protocol.js';
