/**
 * `H264Encoder` over the package `h264-mp4-encoder`, with the bitstream of each frame.
 *
 * The package gives no bytes before its file is finished, and keeps nothing then. So pictures come in short groups, each
 * with a key frame at its start, and for each picture its group is encoded anew as far as it goes: the encoder looks at
 * nothing that comes later, so that the pictures before become the same bytes again, and the last packet is the frame's.
 */
import { isKeyFrame, toAnnexB } from './annex-b.js';
import { EncoderSession } from './encoder-session.js';
import type { EncoderPicture, H264BitstreamFrame, H264Encoder, H264EncoderOptions } from './h264-encoder.js';
import { type H264Packet, readMp4, writeMp4 } from './mp4-file.js';
import { createEncoder, packI420, reasonOf, startEncoder, takeFile } from './wasm-encoder.js';

/** A frame costs as many as its place in the group: 2.5 on average. */
const GROUP_FRAMES = 4;

/** @throws Error when the WebAssembly module does not start */
export async function openWasmBitstreamEncoder(options: H264EncoderOptions): Promise<H264Encoder> {
  (await createEncoder()).delete(); // it starts, or this throws
  return new WasmBitstreamEncoder(options);
}

class WasmBitstreamEncoder implements H264Encoder {
  readonly backend = 'h264-mp4-encoder';
  readonly #session: EncoderSession;
  readonly #packets: H264Packet[] = [];
  #avcConfig: Uint8Array | undefined;
  /** The pictures since the last key frame. */
  #group: Uint8Array[] = [];
  /** One frame after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: H264EncoderOptions) {
    this.#session = new EncoderSession(options);
  }

  get framesEncoded(): number {
    return this.#packets.length;
  }

  async encode(picture: EncoderPicture, frameIndex: number): Promise<H264BitstreamFrame> {
    this.#session.accept(picture, frameIndex);
    const packed = packI420(picture);
    const done = this.#last.then(() => this.#encodeNext(packed, frameIndex));
    this.#last = done.catch(() => {}); // whoever waits for it has the reason
    return await done;
  }

  async #encodeNext(picture: Uint8Array, frameIndex: number): Promise<H264BitstreamFrame> {
    if (this.#group.length === GROUP_FRAMES) this.#group = [];
    this.#group.push(picture);
    try {
      const { avcConfig, packets } = await this.#encodeGroup();
      this.#avcConfig ??= avcConfig;
      const last = packets.at(-1);
      if (last === undefined || packets.length !== this.#group.length)
        throw new Error(`${this.#group.length} frames gave ${packets.length} pictures`);
      // The package marks every frame of its file as one to begin with.
      const packet = { data: last.data, keyFrame: isKeyFrame(last.data) };
      this.#packets.push(packet);
      return toAnnexB(packet, avcConfig);
    } catch (error) {
      const failure = new Error(`the encoder failed at frame ${frameIndex} (${reasonOf(error)})`);
      this.#session.end(failure);
      throw failure;
    }
  }

  async #encodeGroup(): Promise<{ avcConfig: Uint8Array; packets: H264Packet[] }> {
    const encoder = await createEncoder();
    startEncoder(encoder, this.#session.options, GROUP_FRAMES);
    for (const picture of this.#group) encoder.addFrameYuv(picture);
    return await readMp4(takeFile(encoder));
  }

  async finish(): Promise<Uint8Array> {
    if (this.#session.ended) throw this.#session.ended;
    this.#session.end(new Error('the encoder is finished'));
    await this.#last;
    const { options, frameIndexes } = this.#session;
    if (this.#avcConfig === undefined) return new Uint8Array(0);
    return writeMp4({ ...options, avcConfig: this.#avcConfig, packets: this.#packets, frameIndexes });
  }

  close(): void {
    this.#session.end(new Error('the encoder was closed'));
  }
}
