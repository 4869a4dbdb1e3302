export { DRIVER_KINDS, type DriverKind, type DriverLanguage } from './driver-project.js';
export { type NewDriverOptions, newDriver } from './new-driver.js';
