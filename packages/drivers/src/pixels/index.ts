export { crc32OfRows, crc32OfSegments, crc32Update } from './crc32.js';
export { nv12Of, rgbaOf } from './frame-images.js';
export {
  copyNv12,
  type Nv12Image,
  type Nv12Layout,
  nv12ImageOf,
  nv12Layout,
  type RgbaImage,
  type RgbaLayout,
  rgbaImageOf,
  rgbaLayout,
} from './image-layout.js';
export { lumaPsnr } from './luma-psnr.js';
export {
  drawNumberNv12,
  frameNumberPlacement,
  NUMBER_LIMIT,
  type NumberPlacement,
  readFrameNumber,
} from './number-panel.js';
export { convertNv12ToRgba } from './nv12-to-rgba.js';
export { composeOverlay, defaultOverlay, type Overlay, overlaySize, type Rgba, readOverlayNumber } from './overlay.js';
export { type PlaneLayout, type PlaneRows, rowsOf } from './plane-rows.js';
export { drawTestPattern } from './test-pattern.js';
