/** Pictures for the camera from a video file. */
import { extname } from 'node:path';
import { MediaError } from './media-error.js';
import { loadWebCodecs, type WebCodecsLoader } from './web-codecs.js';
import { openY4m, probeY4m } from './y4m.js';

/** Size and length of a video file. */
export interface PictureInfo {
  readonly widthPixels: number;
  readonly heightPixels: number;
  readonly frameCount: number;
}

/** The decoded pictures of a video file. */
export interface PictureSource extends PictureInfo {
  /** What it is, for a report: `street.y4m, 30 frames 320x240`. */
  readonly description: string;

  /**
   * One picture as tightly packed NV12: `heightPixels` rows of luma, then half as many of U,V pairs, `widthPixels` bytes
   * each. A view of the source's own memory: not to be written.
   *
   * @param index 0 to frameCount-1
   * @throws RangeError outside that range
   */
  picture(index: number): Uint8Array;
}

/**
 * Opens a video file and decodes all of it.
 *
 * `.y4m` is read by this package alone. `.mp4`, `.mov`, `.m4v`, `.webm` and `.mkv` need the optional package `@napi-rs/webcodecs`. Sample
 * values are passed on as they are, whatever colour matrix the file declares; rotation is not applied.
 *
 * Context: any thread; reads the whole file and, for compressed video, needs the event loop.
 *
 * @throws MediaError (code EMEDIA) when the file is missing, broken, of another kind, of odd size, or too long
 */
export async function openPictureSource(
  path: string,
  loadCodecs: WebCodecsLoader = loadWebCodecs,
): Promise<PictureSource> {
  return withKind(path, openY4m, async (file) => (await import('./clip.js')).openClip(file, loadCodecs));
}

/**
 * Checks a video file without decoding it; gives what `openPictureSource` would have, and refuses what it would refuse
 * except for damage within compressed pictures.
 *
 * @throws MediaError as `openPictureSource`
 */
export async function probePictureSource(
  path: string,
  loadCodecs: WebCodecsLoader = loadWebCodecs,
): Promise<PictureInfo> {
  return withKind(path, probeY4m, async (file) => (await import('./clip.js')).probeClip(file, loadCodecs));
}

async function withKind<Result>(
  path: string,
  y4m: (path: string) => Promise<Result>,
  clip: (path: string) => Promise<Result>,
): Promise<Result> {
  const extension = extname(path).toLowerCase();
  try {
    if (extension === '.y4m') return await y4m(path);
    if (['.mp4', '.mov', '.m4v', '.webm', '.mkv'].includes(extension)) return await clip(path);
  } catch (error) {
    throw error instanceof MediaError ? error : new MediaError(path, fileReason(error));
  }
  throw new MediaError(path, `the ending must be .y4m, .mp4, .mov, .m4v, .webm or .mkv, got "${extension}"`);
}

function fileReason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EISDIR') return 'it is a directory';
  return message ?? String(error);
}
