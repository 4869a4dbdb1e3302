/** Typed calls for programs: names in place of numbers, and the kernel's errno. */
export * from './binding.js';
export * from './cenalloc.js';
export * from './display.js';
export * from './dma-buf.js';
export * from './dma-heap.js';
export * from './drm.js';
export * from './memory.js';
export * from './render.js';
export * from './sync-file.js';
export * from './sync-object.js';
export {
  drainEncoder,
  type FrameSeconds,
  getFrameInterval,
  getVideoFormat,
  listControls,
  listVideoFormats,
  openVideo,
  requestBuffers,
  resumeEncoder,
  setControl,
  setFrameInterval,
  setVideoFormat,
  startStreaming,
  stopStreaming,
  tryVideoFormat,
  type VideoDevice,
  type VideoMemory,
  type VideoPicture,
  type VideoQueue,
  waitVideoBuffer,
} from './video.js';
export * from './video-buffers.js';
