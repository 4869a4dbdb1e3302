/** What both encoders check of the calls made to them. */
import type { EncoderPicture, H264EncoderOptions } from './h264-encoder.js';

/** A player can seek to every second second. */
const KEY_FRAME_SECONDS = 2;

/** The state of one `H264Encoder`: open or not, the frames accepted, and the failure that ended it. */
export class EncoderSession {
  /** Indexes of the frames accepted, rising. */
  readonly frameIndexes: number[] = [];
  #ended: Error | undefined;

  constructor(readonly options: H264EncoderOptions) {}

  /** Why the session takes no more calls, if it does not. */
  get ended(): Error | undefined {
    return this.#ended;
  }

  /** Ends the session; only the first reason counts. */
  end(reason: Error): void {
    this.#ended ??= reason;
  }

  /**
   * Accepts a frame.
   *
   * @throws Error when the session has ended
   * @throws RangeError when the picture has another size or the index does not rise
   */
  accept({ luma, chroma }: EncoderPicture, frameIndex: number): void {
    if (this.#ended)
      throw new Error(`Cannot encode frame ${frameIndex}: ${this.#ended.message}`, { cause: this.#ended });
    const { widthPixels, heightPixels } = this.options;
    const got = [luma.widthBytes, luma.heightRows, chroma.widthBytes, chroma.heightRows].join(' ');
    if (got !== [widthPixels, heightPixels, widthPixels, heightPixels / 2].join(' ')) {
      throw new RangeError(
        `Cannot encode frame ${frameIndex}: the picture must be NV12 of ${widthPixels}x${heightPixels}, got planes ${got}`,
      );
    }
    const last = this.frameIndexes.at(-1) ?? -1;
    if (!Number.isSafeInteger(frameIndex) || frameIndex <= last) {
      throw new RangeError(`Cannot encode frame ${frameIndex}: its index must be whole and above ${last}`);
    }
    this.frameIndexes.push(frameIndex);
  }

  /** Frames from one key frame to the next. */
  get keyFrameInterval(): number {
    const { num, den } = this.options.frameRate;
    return Math.max(1, Math.round((KEY_FRAME_SECONDS * num) / den));
  }
}

/** The picture in a new array, both planes tightly packed. */
export function packNv12({ luma, chroma }: EncoderPicture): Uint8Array {
  const { widthBytes, heightRows } = luma;
  const packed = new Uint8Array(widthBytes * (heightRows + chroma.heightRows));
  for (let y = 0; y < heightRows; y++) packed.set(luma.row(y), y * widthBytes);
  for (let y = 0; y < chroma.heightRows; y++) packed.set(chroma.row(y), (heightRows + y) * widthBytes);
  return packed;
}
