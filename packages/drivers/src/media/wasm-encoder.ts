/** `H264Encoder` over minih264 in WebAssembly, the package `h264-mp4-encoder`. */
import { randomUUID } from 'node:crypto';
import type { H264MP4Encoder } from 'h264-mp4-encoder';
import { splitChroma } from './chroma.js';
import { EncoderSession, packNv12 } from './encoder-session.js';
import type { EncoderPicture, H264BitstreamFrame, H264Encoder, H264EncoderOptions } from './h264-encoder.js';
import { readMp4, writeMp4 } from './mp4-file.js';

/** 10 is the fastest of its levels, and still above 36 dB. */
const SPEED = 10;
/** Of 10 (best) to 51. */
const QUANTIZER = 26;

/** @throws Error when the WebAssembly module does not start */
export async function openWasmEncoder(options: H264EncoderOptions): Promise<H264Encoder> {
  if (options.bitstream === true) return (await import('./wasm-bitstream.js')).openWasmBitstreamEncoder(options);
  return new WasmEncoder(options, await createEncoder());
}

const PROCESS_EVENTS = ['uncaughtException', 'unhandledRejection'];
/** How the source of Emscripten's two listeners begins. */
const THROWING_LISTENER = /^function\s*\w*\(\w+\)\s*\{\s*throw\b/;

/**
 * Creates the package's encoder without the process listeners it brings.
 *
 * Emscripten's start code adds an `uncaughtException` listener that throws and an `unhandledRejection` listener that
 * aborts; both would change how the whole process reports errors. It adds them at some turn before the encoder is there,
 * so what others added meanwhile is told apart by its source.
 */
export async function createEncoder(): Promise<H264MP4Encoder> {
  const before = PROCESS_EVENTS.map((event) => process.rawListeners(event));
  const encoder = await (await import('h264-mp4-encoder')).default.createH264MP4Encoder();
  PROCESS_EVENTS.forEach((event, i) => {
    for (const listener of process.rawListeners(event)) {
      const added = !before[i].includes(listener) && THROWING_LISTENER.test(listener.toString());
      if (added) process.removeListener(event, listener as () => void);
    }
  });
  return encoder;
}

/** Gives the package's encoder its settings, after which it takes pictures. @param groupFrames from key frame to key frame */
export function startEncoder(encoder: H264MP4Encoder, options: H264EncoderOptions, groupFrames: number): void {
  const { widthPixels, heightPixels, frameRate, bitrate } = options;
  encoder.width = widthPixels;
  encoder.height = heightPixels;
  encoder.frameRate = frameRate.num / frameRate.den;
  encoder.speed = SPEED;
  encoder.quantizationParameter = QUANTIZER;
  if (bitrate !== undefined) encoder.kbps = Math.max(1, Math.round(bitrate / 1000));
  encoder.groupOfPictures = groupFrames;
  // All encoders of a thread share one file system.
  encoder.outputFilename = `${randomUUID()}.mp4`;
  encoder.initialize();
}

/** Ends the package's encoder and gives the file it wrote, removing it. @throws Error */
export function takeFile(encoder: H264MP4Encoder): Uint8Array {
  const { FS, outputFilename } = encoder;
  try {
    encoder.finalize();
    const file = FS.readFile(outputFilename);
    FS.unlink(outputFilename);
    return file;
  } catch (error) {
    throw new Error(`Cannot write the video: ${reasonOf(error)}`);
  } finally {
    encoder.delete();
  }
}

class WasmEncoder implements H264Encoder {
  readonly backend = 'h264-mp4-encoder';
  readonly #session: EncoderSession;
  readonly #encoder: H264MP4Encoder;
  #framesEncoded = 0;

  constructor(options: H264EncoderOptions, encoder: H264MP4Encoder) {
    this.#session = new EncoderSession(options);
    this.#encoder = encoder;
    startEncoder(encoder, options, this.#session.keyFrameInterval);
  }

  get framesEncoded(): number {
    return this.#framesEncoded;
  }

  async encode(picture: EncoderPicture, frameIndex: number): Promise<H264BitstreamFrame | undefined> {
    this.#session.accept(picture, frameIndex);
    try {
      this.#encoder.addFrameYuv(packI420(picture));
      this.#framesEncoded++;
      return undefined;
    } catch (error) {
      const failure = new Error(`the encoder failed at frame ${frameIndex} (${reasonOf(error)})`);
      this.#session.end(failure);
      throw failure;
    }
  }

  async finish(): Promise<Uint8Array> {
    if (this.#session.ended) throw this.#session.ended;
    this.#session.end(new Error('the encoder is finished'));
    const file = takeFile(this.#encoder);
    const { options, frameIndexes } = this.#session;
    if (frameIndexes.length === 0) return new Uint8Array(0);
    // The package writes frames at an even rate and dates its files: written anew, with the frames' own times.
    const { avcConfig, packets } = await readMp4(file);
    if (packets.length !== frameIndexes.length) {
      throw new Error(`Cannot write the video: ${frameIndexes.length} frames gave ${packets.length} pictures`);
    }
    return writeMp4({ ...options, avcConfig, packets, frameIndexes });
  }

  close(): void {
    if (this.#session.ended) return;
    this.#session.end(new Error('the encoder was closed'));
    takeFile(this.#encoder);
  }
}

/** What WebAssembly code threw: an Error, or the number of a C++ exception. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message.split('\n', 1)[0] : `exception ${String(error)}`;
}

/** The picture in a new array: Y, U and V, tightly packed. */
export function packI420(picture: EncoderPicture): Uint8Array {
  const nv12 = packNv12(picture);
  const lumaBytes = picture.luma.widthBytes * picture.luma.heightRows;
  const i420 = nv12.slice();
  const half = lumaBytes / 4;
  const planes = i420.subarray(lumaBytes);
  splitChroma(nv12.subarray(lumaBytes), planes.subarray(0, half), planes.subarray(half));
  return i420;
}
