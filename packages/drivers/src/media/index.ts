export {
  type EncoderPicture,
  H264_MAX_AREA_PIXELS,
  H264_MAX_SIDE_PIXELS,
  H264_MIN_SIDE_PIXELS,
  type H264Backend,
  type H264BitstreamFrame,
  type H264Encoder,
  type H264EncoderOptions,
  h264SizeProblem,
  openH264Encoder,
} from './h264-encoder.js';
export { MediaError } from './media-error.js';
export type { FrameRate } from './mp4-file.js';
export { openPictureSource, type PictureInfo, type PictureSource, probePictureSource } from './picture-source.js';
export { WEB_CODECS_PACKAGE, type WebCodecs, type WebCodecsLoader } from './web-codecs.js';
