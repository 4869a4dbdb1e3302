/** A `PictureSource` over pictures in memory, and the checks that every kind of file shares. */
import { basename } from 'node:path';
import { MediaError } from './media-error.js';
import type { PictureInfo, PictureSource } from './picture-source.js';

/** All the pictures of a clip are kept decoded; more bytes than this are refused. */
export const MAX_DECODED_BYTES = 1.5 * 1024 ** 3;

/** @param pictures tightly packed NV12, one or more */
export function pictureList(
  path: string,
  widthPixels: number,
  heightPixels: number,
  pictures: readonly Uint8Array[],
): PictureSource {
  return {
    widthPixels,
    heightPixels,
    frameCount: pictures.length,
    description: `${basename(path)}, ${pictures.length} frames ${widthPixels}x${heightPixels}`,
    picture(index) {
      if (!(index in pictures)) throw new RangeError(`Cannot give picture ${index}: there are ${pictures.length}`);
      return pictures[index];
    },
  };
}

/**
 * @throws MediaError when the size is odd, nothing or unreasonable, there are no frames, or they would not fit in memory
 */
export function checkPictureInfo(path: string, { widthPixels, heightPixels, frameCount }: PictureInfo): void {
  const size = `${widthPixels}x${heightPixels}`;
  if (!(widthPixels > 0) || !(heightPixels > 0) || widthPixels % 2 !== 0 || heightPixels % 2 !== 0) {
    throw new MediaError(path, `width and height must be even, got ${size}`);
  }
  if (frameCount < 1) throw new MediaError(path, 'it has no frames');
  const decodedBytes = widthPixels * heightPixels * 1.5 * frameCount;
  if (decodedBytes > MAX_DECODED_BYTES) {
    const gib = (bytes: number) => (bytes / 1024 ** 3).toFixed(1);
    throw new MediaError(
      path,
      `its ${frameCount} frames of ${size} take ${gib(decodedBytes)} GiB decoded, the limit is ` +
        `${gib(MAX_DECODED_BYTES)} GiB: cut it shorter or scale it down`,
    );
  }
}
