/** The devices of scenarios, behind nodes: the very drivers of pipelines, fed by user space. */
export * from './device-services.js';
export * from './drm/index.js';
export * from './frame-contents.js';
export * from './node-context.js';
export * from './node-frame.js';
export * from './node-job.js';
export * from './soc-device.js';
export * from './video/index.js';
