import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { drawTestPattern, type Nv12Image, nv12ImageOf, nv12Layout } from '@dmabuf-lab/drivers/pixels';
import type { ExecutionContext } from 'ava';

/** From tests/dist/unit/drivers/media up to the repository, and to the folder that may stand beside it. */
const CLIPS = fileURLToPath(new URL('../../../../../../shared/clips/', import.meta.url));

/** A clip's path, or undefined, with a line in the log, where the clips are not at hand. */
export function clipPath(t: ExecutionContext, name: string): string | undefined {
  const path = join(CLIPS, name);
  if (existsSync(path)) return path;
  t.log(`skipped: ../shared/clips/${name} is not there`);
  t.pass();
  return undefined;
}

/** A new folder under the system's temporary folder, and a file in it. */
export function temporaryFile(name: string, contents: Uint8Array | string): string {
  const path = join(mkdtempSync(join(tmpdir(), 'dmabuf-lab-media-')), name);
  writeFileSync(path, contents);
  return path;
}

/** A tightly packed NV12 picture as an image. */
export function imageOf(picture: Uint8Array, widthPixels: number, heightPixels: number): Nv12Image {
  return nv12ImageOf([picture], nv12Layout(widthPixels, heightPixels));
}

/** The test pattern's frame as a tightly packed NV12 picture. */
export function patternPicture(widthPixels: number, heightPixels: number, sequence: number): Uint8Array {
  const picture = new Uint8Array(nv12Layout(widthPixels, heightPixels).sizeBytes);
  drawTestPattern(imageOf(picture, widthPixels, heightPixels), sequence);
  return picture;
}

/** What ffprobe counts in a video file, or undefined, with a line in the log, where ffprobe is not installed. */
export function ffprobe(
  t: ExecutionContext,
  path: string,
): { frames: number; widthPixels: number; heightPixels: number } | undefined {
  const entries = 'stream=nb_read_frames,width,height';
  try {
    const text = execFileSync(
      'ffprobe',
      ['-v', 'error', '-count_frames', '-select_streams', 'v', '-show_entries', entries, '-of', 'json', path],
      { encoding: 'utf8' },
    );
    const { width, height, nb_read_frames } = JSON.parse(text).streams[0];
    return { frames: Number(nb_read_frames), widthPixels: width, heightPixels: height };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    t.log('skipped: ffprobe is not installed');
    return undefined;
  }
}

/** A loader as it acts where the optional package is missing. */
export async function noCodecs(): Promise<never> {
  throw new Error('the optional package @napi-rs/webcodecs is missing or does not load (Cannot find package)');
}
