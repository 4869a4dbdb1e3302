export { addCaptureNode } from './capture-node.js';
export { addEncoderNode } from './encoder-node.js';
export type { DriverFailure, SocVideoDevice, VideoDeviceOptions } from './video-device.js';
