export { placeOfDriver } from './check-driver.js';
export * from './driver-error.js';
export { placeInDriver } from './evaluation-error.js';
export {
  bundleDriver,
  type DriverBundle,
  type LoadDriverOptions,
  type LoadedDriver,
  loadDriver,
  openDriver,
} from './load-driver.js';
export { isPath } from './resolve-driver.js';
