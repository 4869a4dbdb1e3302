/** `H264Encoder` over the WebCodecs API of `@napi-rs/webcodecs`. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type {
  EncodedVideoChunk,
  EncodedVideoChunkMetadata,
  VideoEncoder,
  VideoEncoderConfig,
} from '@napi-rs/webcodecs';
import { toAnnexB } from './annex-b.js';
import { EncoderSession, packNv12 } from './encoder-session.js';
import type { EncoderPicture, H264BitstreamFrame, H264Encoder, H264EncoderOptions } from './h264-encoder.js';
import { type H264Packet, writeMp4 } from './mp4-file.js';
import { StallGuard } from './stall-guard.js';
import type { WebCodecs } from './web-codecs.js';

/** Bits per pixel of the default bitrate: some 40 dB on filmed video at 10 to 60 frames a second. */
const BITS_PER_PIXEL = 0.3;
const LEAST_BITRATE = 200_000;

/** @throws Error when the native encoder refuses the settings */
export async function openWebCodecsEncoder(options: H264EncoderOptions, codecs: WebCodecs): Promise<H264Encoder> {
  const { widthPixels, heightPixels, frameRate } = options;
  const framerate = frameRate.num / frameRate.den;
  const config: VideoEncoderConfig = {
    // Profile and level are a request: the encoder writes what the pictures need.
    codec: 'avc1.640033',
    width: widthPixels,
    height: heightPixels,
    framerate,
    bitrate:
      options.bitrate ?? Math.max(LEAST_BITRATE, Math.round(widthPixels * heightPixels * framerate * BITS_PER_PIXEL)),
    // Without look-ahead and reordering, so that each frame's bitstream comes before the next frame is given.
    latencyMode: 'realtime',
    hardwareAcceleration: 'prefer-software',
    avc: { format: 'avc' },
  };
  const support = await codecs.VideoEncoder.isConfigSupported(config);
  if (!support.supported)
    throw new Error(`Cannot encode video: webcodecs refuses ${widthPixels}x${heightPixels} H.264`);
  return new WebCodecsEncoder(options, codecs, config);
}

interface PendingFrame {
  readonly done: Promise<H264Packet>;
  resolve(packet: H264Packet): void;
  reject(error: Error): void;
}

class WebCodecsEncoder implements H264Encoder {
  readonly backend = 'webcodecs';
  readonly #session: EncoderSession;
  readonly #codecs: WebCodecs;
  readonly #encoder: VideoEncoder;
  readonly #guard = new StallGuard('encode the video', (error) => this.#end(error));
  /** Frames given and not out yet, by time stamp in microseconds. */
  readonly #pending = new Map<number, PendingFrame>();
  readonly #packets: H264Packet[] = [];
  #avcConfig: Uint8Array | undefined;

  constructor(options: H264EncoderOptions, codecs: WebCodecs, config: VideoEncoderConfig) {
    this.#session = new EncoderSession(options);
    this.#codecs = codecs;
    this.#encoder = new codecs.VideoEncoder({
      output: (chunk, metadata) => this.#take(chunk, metadata),
      error: (error) => this.#guard.fail(error),
    });
    this.#encoder.configure(config);
  }

  get framesEncoded(): number {
    return this.#packets.length;
  }

  async encode(picture: EncoderPicture, frameIndex: number): Promise<H264BitstreamFrame | undefined> {
    const { widthPixels, heightPixels, frameRate } = this.#session.options;
    this.#session.accept(picture, frameIndex);
    const durationUs = (1e6 * frameRate.den) / frameRate.num;
    const timestamp = Math.round(frameIndex * durationUs);
    const keyFrame = (this.#session.frameIndexes.length - 1) % this.#session.keyFrameInterval === 0;
    const done = this.#expect(timestamp);
    try {
      const frame = new this.#codecs.VideoFrame(packNv12(picture), {
        format: 'NV12',
        codedWidth: widthPixels,
        codedHeight: heightPixels,
        timestamp,
        duration: Math.round(durationUs),
      });
      this.#encoder.encode(frame, { keyFrame });
      frame.close();
    } catch (error) {
      this.#guard.fail(error as Error);
    }
    const packet = await done;
    if (this.#session.options.bitstream !== true) return undefined;
    if (!this.#avcConfig)
      throw new Error(`Cannot encode frame ${frameIndex}: the encoder gave no decoder configuration`);
    return toAnnexB(packet, this.#avcConfig);
  }

  async finish(): Promise<Uint8Array> {
    if (this.#session.ended) throw this.#session.ended;
    this.#session.end(new Error('the encoder is finished'));
    if (this.#pending.size > 0) {
      void this.#flush();
      await Promise.all([...this.#pending.values()].map((frame) => frame.done));
    }
    this.#encoder.close();
    const { frameIndexes, options } = this.#session;
    if (frameIndexes.length === 0) return new Uint8Array(0);
    if (!this.#avcConfig) throw new Error('Cannot write the video: the encoder gave no decoder configuration');
    return writeMp4({ ...options, avcConfig: this.#avcConfig, packets: this.#packets, frameIndexes });
  }

  close(): void {
    if (!this.#session.ended) this.#end(new Error('the encoder was closed'));
  }

  #expect(timestamp: number): Promise<H264Packet> {
    let settle: Pick<PendingFrame, 'resolve' | 'reject'> | undefined;
    const done = new Promise<H264Packet>((resolve, reject) => {
      settle = { resolve, reject };
    });
    if (settle) this.#pending.set(timestamp, { done, ...settle });
    // Real time begins to count once the driver waits for the codec: a step of a driver uses no timer.
    queueMicrotask(() => {
      if (this.#pending.has(timestamp)) this.#guard.busy();
    });
    return done;
  }

  /** Makes the encoder give what it still holds; a frame that does not come by then is an error, not a wait. */
  async #flush(): Promise<void> {
    try {
      await this.#encoder.flush();
      await nextTurn();
      if (this.#pending.size > 0)
        throw new Error(`Cannot encode the video: no bitstream came for ${this.#pending.size} of its frames`);
    } catch (error) {
      this.#guard.fail(error as Error);
    }
  }

  #take(chunk: EncodedVideoChunk, metadata: EncodedVideoChunkMetadata | undefined): void {
    const frame = this.#pending.get(chunk.timestamp);
    if (!frame) return;
    const data = new Uint8Array(chunk.byteLength);
    chunk.copyTo(data);
    const packet = { data, keyFrame: chunk.type === 'key' };
    this.#packets.push(packet);
    this.#avcConfig ??= metadata?.decoderConfig?.description;
    this.#pending.delete(chunk.timestamp);
    if (this.#pending.size > 0) this.#guard.busy();
    else this.#guard.idle();
    frame.resolve(packet);
  }

  /** Ends with a failure: everything pending rejects with it. */
  #end(error: Error): void {
    this.#session.end(error);
    this.#guard.idle();
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const frame of pending) frame.reject(error);
    if (this.#encoder.state !== 'closed') this.#encoder.close();
  }
}
