/** H.264 encoding into an MP4 file, behind one interface for two encoders. */
import type { PlaneRows } from '../pixels/index.js';
import type { FrameRate } from './mp4-file.js';
import { loadWebCodecs, type WebCodecsLoader } from './web-codecs.js';

/**
 * - `webcodecs`: x264 of the optional package `@napi-rs/webcodecs`; High profile, its own threads; its bytes differ
 *   from run to run.
 * - `h264-mp4-encoder`: minih264 as WebAssembly, always there; Baseline, in the calling thread; same pictures, same bytes.
 */
export type H264Backend = 'webcodecs' | 'h264-mp4-encoder';

/** What to encode, and how. */
export interface H264EncoderOptions {
  readonly widthPixels: number;
  readonly heightPixels: number;
  readonly frameRate: FrameRate;
  /** `auto`, the default, takes `webcodecs` where it is installed. */
  readonly backend?: H264Backend | 'auto';
  /** Bits per second; by default a quality of about 40 dB at whatever rate that takes or, for `webcodecs`, 0.3 bits a pixel. */
  readonly bitrate?: number;
  /** Each call of `encode` gives the frame's bitstream. Default false. */
  readonly bitstream?: boolean;
}

/** The bitstream of one frame. */
export interface H264BitstreamFrame {
  /** NAL units after start codes; parameter sets precede each key frame. Source: Annex B of ITU-T H.264. */
  readonly data: Uint8Array;
  readonly keyFrame: boolean;
}

/** An NV12 picture of the encoder's size, by planes. */
export interface EncoderPicture {
  readonly luma: PlaneRows;
  readonly chroma: PlaneRows;
}

/**
 * An encoder of one video. States: open, until `finish` or `close`; a failure closes it.
 *
 * Context: one thread; `webcodecs` needs its event loop while a promise is pending.
 */
export interface H264Encoder {
  readonly backend: H264Backend;
  /** Frames whose bitstream is ready. */
  readonly framesEncoded: number;

  /**
   * Encodes a picture. The picture is read before the call returns, so its buffer is free at once; the promise
   * resolves when the bitstream of this very frame is ready (neither encoder looks ahead or reorders). More frames may be
   * given meanwhile.
   *
   * @param frameIndex time of the frame, in frames of the frame rate; higher than the last. A gap keeps its time in the file
   * @returns the frame's bitstream, where it was asked for; rejects when the frame cannot be encoded, when an earlier one failed, or when the encoder is finished or closed
   */
  encode(picture: EncoderPicture, frameIndex: number): Promise<H264BitstreamFrame | undefined>;

  /**
   * Waits for all frames and closes the encoder.
   *
   * @returns the whole MP4 file; no bytes at all when no frame was encoded
   */
  finish(): Promise<Uint8Array>;

  /** Gives the encoder up without a file; what is pending rejects. Does nothing once finished or closed. */
  close(): void;
}

/** Sides that an H.264 encoder of ours takes, in pixels; 7680x4320 was tried with both. */
export const H264_MIN_SIDE_PIXELS = 16;
export const H264_MAX_SIDE_PIXELS = 7680;
export const H264_MAX_AREA_PIXELS = 7680 * 4320;

/**
 * Why a size cannot be encoded, for refusing it before a run.
 *
 * @returns undefined when it can be
 */
export function h264SizeProblem(widthPixels: number, heightPixels: number): string | undefined {
  const size = `${widthPixels}x${heightPixels}`;
  const sides = [widthPixels, heightPixels];
  if (!sides.every((side) => Number.isSafeInteger(side) && side % 2 === 0)) {
    return `width and height must be even for H.264, got ${size}`;
  }
  if (!sides.every((side) => side >= H264_MIN_SIDE_PIXELS && side <= H264_MAX_SIDE_PIXELS)) {
    return `width and height must be ${H264_MIN_SIDE_PIXELS} to ${H264_MAX_SIDE_PIXELS} pixels for H.264, got ${size}`;
  }
  if (widthPixels * heightPixels > H264_MAX_AREA_PIXELS) {
    return `a picture must have at most 7680x4320 pixels for H.264, got ${size}`;
  }
  return undefined;
}

/**
 * Opens an encoder.
 *
 * @throws RangeError when size, frame rate or bitrate are out of range
 * @throws Error naming the package, when `webcodecs` is asked for and does not load
 */
export async function openH264Encoder(
  options: H264EncoderOptions,
  loadCodecs: WebCodecsLoader = loadWebCodecs,
): Promise<H264Encoder> {
  const { widthPixels, heightPixels, frameRate, backend = 'auto', bitrate } = options;
  const problem = h264SizeProblem(widthPixels, heightPixels);
  if (problem) throw new RangeError(`Cannot encode video: ${problem}`);
  const rate = frameRate.num / frameRate.den;
  if (!Number.isSafeInteger(frameRate.num) || !Number.isSafeInteger(frameRate.den) || !(rate >= 0.1 && rate <= 1000)) {
    const got = `${frameRate.num}/${frameRate.den}`;
    throw new RangeError(
      `Cannot encode video: the frame rate must be a fraction from 0.1 to 1000 a second, got ${got}`,
    );
  }
  if (bitrate !== undefined && !(bitrate >= 1000 && bitrate <= 1e9)) {
    throw new RangeError(`Cannot encode video: the bitrate must be 1000 to 1e9 bits a second, got ${bitrate}`);
  }
  if (backend !== 'h264-mp4-encoder') {
    const codecs = await loadCodecs().catch((error: Error) => {
      if (backend === 'webcodecs') throw new Error(`Cannot encode video: ${error.message}`);
      return undefined;
    });
    if (codecs) return (await import('./web-codecs-encoder.js')).openWebCodecsEncoder(options, codecs);
  }
  return (await import('./wasm-encoder.js')).openWasmEncoder(options);
}
